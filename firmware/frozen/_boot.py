"""A custom image's first Python line, in the place of the port's own `_boot.py`: a wake, before any file system is mounted.

A node that runs an updated copy of the application has it on the file system: it is mounted first, and `main.py` chooses.
"""

import machine

machine.WDT(timeout=60000)

import esp32  # noqa: E402


def _is_updated():
    try:
        return esp32.NVS("derb").get_blob("slot", bytearray(8)) == 8
    except OSError:
        return False  # never


if _is_updated():
    import main  # noqa: F401
else:
    from derb import wake

    wake.run(mounted=False)
