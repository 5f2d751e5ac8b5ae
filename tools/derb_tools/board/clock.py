"""The street's time: milliseconds since a simulation began, running faster than real time by a factor."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

_MS = 1000


@dataclass(frozen=True)
class StreetClock:
    """Street time was `origin_ms` when this was made; since then it runs `speed` times as fast as real time.

    A gateway runs on the same time with `--clock-speed` and `--clock-origin-real-ms`, for which
    `origin_real_ms` is the Unix time of the origin.
    """

    speed: float = 1
    origin_ms: int = 0
    origin_real_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    _begun_s: float = field(default_factory=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError("a street's clock runs forward; a simulation without real time is simulate()")

    def now_ms(self) -> int:
        return self.origin_ms + int((time.monotonic() - self._begun_s) * _MS * self.speed)

    def real_s_until(self, street_ms: int) -> float:
        """Real seconds until that street time, 0 when it is past."""
        return max(0.0, (street_ms - self.now_ms()) / self.speed / _MS)

    async def sleep_until(self, street_ms: int) -> None:
        """Return when the street's time is `street_ms`, not before."""
        # A timer may end a little early.
        while (left_s := self.real_s_until(street_ms)) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left_s)
