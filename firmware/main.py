"""What a board runs after its own start: it finds the copy of the application to run; everything else is in derb.wake."""

import machine

machine.WDT(timeout=60000)  # before anything that can hang or be missing

import sys  # noqa: E402

import esp32  # noqa: E402

_RESCUE_SLEEP_MS = 3600000


def _find():
    nvs = esp32.NVS("derb")
    try:
        nvs.get_blob("slot", bytearray(8))
    except OSError:
        return  # never updated: what was flashed is all there is
    import slots

    slots.enter(nvs, machine.reset_cause() != machine.DEEPSLEEP_RESET, sys.path)


def _rescue():
    import slots

    if slots.load(esp32.NVS("derb"))[0]:
        slots.fall_back(esp32.NVS("derb"))
        machine.reset()


try:
    _find()
    from derb import wake

    wake.run()
except BaseException as e:
    sys.print_exception(e)
    try:
        _rescue()
    finally:
        # Nobody is there to see a prompt, and one that waits empties the battery.
        machine.deepsleep(_RESCUE_SLEEP_MS)
