"""The gateway's two clocks: the wall (UTC, may jump) and the monotonic one (never does)."""

import ctypes
import time
from datetime import UTC, datetime, timedelta

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # more than any struct timex
_ASK_KERNEL_EVERY_S = 10.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Real time. `speed` is how many wall seconds pass in a real one."""

    speed = 1.0

    def __init__(self) -> None:
        self._asked_s = float("-inf")
        self._synchronised = False

    def wall_ms(self) -> int:
        """Return milliseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Return real seconds since some moment."""
        return time.monotonic()

    def synchronised(self) -> bool:
        """Return whether the kernel believes that the wall clock is right (adjtimex(2))."""
        now_s = self.monotonic_s()
        if now_s - self._asked_s >= _ASK_KERNEL_EVERY_S:
            self._asked_s, self._synchronised = now_s, kernel_clock_synchronised()
        return self._synchronised


class SimulatedClock(Clock):
    """A street's clock: `origin_unix_ms` at the real moment `origin_real_ms`, then `speed` times as fast."""

    def __init__(self, origin_unix_ms: int, origin_real_ms: int, speed: float) -> None:
        super().__init__()
        self.speed = speed
        self._origin_unix_ms = origin_unix_ms
        self._origin_real_ms = origin_real_ms

    def wall_ms(self) -> int:
        """Return the street's milliseconds since 1970-01-01T00:00:00Z."""
        return self._origin_unix_ms + int((super().wall_ms() - self._origin_real_ms) * self.speed)

    def synchronised(self) -> bool:
        """Return True: everyone on the street shares this clock."""
        return True


def kernel_clock_synchronised() -> bool:
    """Return False too where there is no adjtimex: not known to be right is not right."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return False
    return bool(adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) not in (-1, _TIME_ERROR))


def iso_utc(unix_ms: int) -> str:
    """Return ISO 8601 with milliseconds and Z."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
