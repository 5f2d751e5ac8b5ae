"""Stand-ins for the modules of a chip, on a clock that only moves when told to. To be imported before anything of derb."""

import sys
import time as _real

TICKS_MASK = 0x3FFFFFFF


class Now:
    """Milliseconds since power-on of the board, which are also those of its street."""

    ms = 0
    light_ms = 0  # of them in light sleep


class Module:
    """What stands in for a module; functions in it are not bound."""


def _module(name, **contents):
    module = Module()
    for key, value in contents.items():
        setattr(module, key, value)
    sys.modules[name] = module
    return module


def _pass(ms):
    Now.ms += ms


def _sleep_lightly(ms):
    Now.ms += ms
    Now.light_ms += ms


class _Rtc:
    def memory(self, record=None):
        if record is None:
            return _Rtc.memory_of_chip
        if len(record) > 2048:
            raise ValueError("buffer too long")
        _Rtc.memory_of_chip = bytes(record)
        return None


_Rtc.memory_of_chip = b""


class _Watchdog:
    def __init__(self, timeout):
        pass

    def feed(self):
        pass


class _Pin:
    IN, OUT, PULL_UP = 1, 2, 3

    def __init__(self, *rest, value=0):
        pass


time = _module(
    "time",
    time=lambda: Now.ms // 1000,
    ticks_ms=lambda: Now.ms & TICKS_MASK,
    ticks_us=_real.ticks_us,
    ticks_add=_real.ticks_add,
    ticks_diff=_real.ticks_diff,
    sleep_ms=_pass,
    gmtime=_real.gmtime,
)
machine = _module(
    "machine",
    RTC=_Rtc,
    WDT=_Watchdog,
    Pin=_Pin,
    PWRON_RESET=1,
    DEEPSLEEP_RESET=4,
    SOFT_RESET=5,
    lightsleep=_sleep_lightly,
)
esp32 = _module("esp32", WAKEUP_ANY_HIGH=1, wake_on_ext0=lambda pin, level: None)
