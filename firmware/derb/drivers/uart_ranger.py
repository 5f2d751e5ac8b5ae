"""What ultrasonic rangers that speak over a UART have in common: they send distances unasked, and garbage now and then."""

import time

from micropython import const

from derb.deadline import Deadline
from derb.echoes import sound_mm_s

NO_START = const(-1)  # nothing was said, or nothing was heard
NO_END = const(-2)  # no target, or one farther than the ranger can tell
TOO_CLOSE = const(0)  # nearer than the ranger can tell

_POLL_MS = const(5)
_PAUSE = const(4)  # polls in vain: a frame lasts 6 ms at the most, and the next one comes 100 ms after


class UartRanger:
    """A ranger on `uart`, 9,600 baud, 8N1. A kind of it says how long it may take and takes byte by byte.

    `air_c100()` is the temperature its firmware reckons with: the air's own if it has a thermometer in it, which then is
    the one that the level is reckoned with too, or what its maker assumes. `garbage` counts what was no distance.
    """

    longest_ms = 1000

    def __init__(self, uart, air_c100, within=Deadline, sleep_ms=None):
        self._uart = uart
        self._air_c100 = air_c100
        self._within = within
        self._sleep_ms = sleep_ms or time.sleep_ms
        self.garbage = 0

    def measure(self, count):
        """Return `count` distances in mm, or TOO_CLOSE, NO_END, NO_START in their place."""
        self._uart.read()  # what has waited is old, and its first frame is torn
        self.forget()
        found = []
        while len(found) < count:
            mm = self._next(self._within(self.longest_ms))
            if mm is None:
                break  # silent once, silent for this reading: 9 waits would cost the battery as much as a day
            found.append(mm)
        return found + [NO_START] * (count - len(found))

    def pings(self, count):
        """Return `count` echo times in microseconds, such as HCSR04's: what `derb.level` turns back into the same distances."""
        speed = sound_mm_s(self._air_c100())
        return [echo_us(mm, speed) for mm in self.measure(count)]

    def take(self, byte):
        """Take the next byte; return a distance when it completes one, else None."""
        raise NotImplementedError

    def forget(self):
        """Forget a frame that was begun, and count it as garbage."""
        raise NotImplementedError

    def _next(self, deadline):
        idle = 0
        while not deadline.over():
            got = self._uart.read(1)
            if not got:
                idle += 1
                if idle == _PAUSE:
                    # What has come so far will never be whole, but with the next frame's first bytes it may seem so.
                    self.forget()
                self._sleep_ms(_POLL_MS)
                continue
            idle = 0
            mm = self.take(got[0])
            if mm is not None:
                return mm
        return None


def echo_us(mm, speed_mm_s):
    """Return how long sound takes there and back, rounded up; what is no distance stays as it is."""
    if mm <= 0:
        return mm
    # 2,000,000 / speed, both by 20: 10,700 mm * 100,000 stays below 2^30.
    return -(-mm * 100000 // (speed_mm_s // 20))
