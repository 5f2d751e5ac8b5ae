"""A custom image's first Python line, in the place of the port's own `_boot.py`: a wake, before any file system is mounted.

A node that runs an updated copy of the application has it on the file system, and a person at the prompt wants the files:
then it is mounted, and `main.py`, which the image starts next, does as in a stock image.
"""

import machine

machine.WDT(timeout=60000)

import esp32  # noqa: E402


def _is_updated():
    try:
        return esp32.NVS("derb").get_blob("slot", bytearray(8)) == 8
    except OSError:
        return False  # never


def _mounted():
    import vfs
    from flashbdev import bdev

    try:
        vfs.mount(vfs.VfsLfs2(bdev), "/")
    except OSError as e:
        print("derb files", e)  # what is frozen runs without them
        return False
    return True


if machine.reset_cause() == machine.SOFT_RESET:
    _mounted()
elif not (_is_updated() and _mounted()):
    from derb import wake

    wake.run(mounted=False)
