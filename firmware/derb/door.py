"""The technician's way in: a pin held low, or a key pressed in the first seconds after a cold start. There is no other."""

import select
import sys
import time

import machine
from micropython import const

_OPEN_MS = const(3000)
_PROMPT_MS = const(1800000)  # so long a prompt may stay; then the watchdog ends it and the node goes on
_LOOK_MS = const(50)
_COLD = (machine.PWRON_RESET, machine.SOFT_RESET)


def opened(nvs, deadline_of):
    """Return whether a technician wants in; `deadline_of(ms)` makes a deadline. If so, the watchdog gives him time."""
    if not (_pin_is_low(nvs) or machine.reset_cause() in _COLD and _knocked(deadline_of(_OPEN_MS))):
        return False
    print("derb: awake for %d minutes" % (_PROMPT_MS // 60000))
    machine.WDT(timeout=_PROMPT_MS)
    return True


def _pin_is_low(nvs):
    try:
        pin = nvs.get_i32("door_pin")
        return machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP).value() == 0
    except (OSError, ValueError):
        return False  # none was provisioned, or none that the chip has


def _knocked(deadline):
    print("derb: press a key within %d s for a prompt" % (_OPEN_MS // 1000))
    console = select.poll()
    console.register(sys.stdin, select.POLLIN)
    while not deadline.over():
        if console.poll(0):
            return True  # the key itself is left to the prompt
        time.sleep_ms(_LOOK_MS)
    return False
