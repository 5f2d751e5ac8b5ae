"""How fast a sink is given readings: as fast as it takes them until it says that this is too fast.

Of an upstream that answers 429 or 503, or more slowly than it used to, less is asked; each batch that it takes well lets
the pace grow by a little. The past may be held to a pace of its own, since some platforms drop a burst without a word.
"""

import math
from collections.abc import Callable

from derb_gateway.sinks.base import Lane

_GROWTH = 1.05  # with each batch that is taken well
_GROWTH_A_S = 1.15  # or with each second of these, if batches are rare: a slow pace must not be for ever
_GROWTH_LONGEST_S = 8.0
_SLOW_FACTOR = 4.0  # a batch that takes so many times the usual is a sign of strain
_SLOW_FLOOR_S = 1.0  # but not below this
_SLOWER = 0.7
_HALF = 0.5
_FREE_PER_S = 100_000.0  # beyond this a limit means nothing
_LEAST_PER_S = 1.0
_LONGEST_TURN_S = (
    4.0  # what a batch may have to wait for the one before it: a slow pace is one of small batches
)
_LONGEST_PAUSE_S = 300.0  # whatever an upstream says
_LEAST_BUSY_S = 0.001
_WEIGHT = 0.2
_BACKFILL_TURN_S = 0.1  # what comes now waits at most about so long for a batch of the past
_BACKFILL_LEAST = 50


class Pace:
    """One sink's pace in readings per second."""

    def __init__(self, max_per_s: float, backfill_per_s: float, now: Callable[[], float]) -> None:
        """`max_per_s`, `backfill_per_s`: bounds by configuration, 0: none; `now`: a monotonic clock in seconds."""
        self._most = max_per_s or math.inf
        self._backfill_per_s = backfill_per_s
        self._now = now
        self._free_at = self._backfill_at = -math.inf
        self._usual_s: float | None = None
        self._each_s: float | None = None
        self._recent_per_s: float | None = None
        self._last_s: float | None = None
        self._strained = False
        self.per_s = self._most

    def wait_s(self) -> float:
        """Return for how long nothing should be sent."""
        return max(0.0, self._free_at - self._now())

    def backfill_wait_s(self) -> float:
        """Return for how long nothing of the past should be sent."""
        return max(0.0, max(self._free_at, self._backfill_at) - self._now())

    def size(self, batch_size: int) -> int:
        """Return how many readings to send at once."""
        if self.per_s * _LONGEST_TURN_S >= batch_size:
            return batch_size
        return max(1, int(self.per_s * _LONGEST_TURN_S))

    def backfill_size(self, batch_size: int) -> int:
        """Return how many readings of the past to send at once, at the speed at which they were taken so far."""
        batch_size = self.size(batch_size)
        if self._each_s is None:
            return min(batch_size, _BACKFILL_LEAST)
        return min(batch_size, max(_BACKFILL_LEAST, int(_BACKFILL_TURN_S / max(self._each_s, 1e-9))))

    def took(self, count: int, took_s: float, lane: Lane) -> None:
        """Note that so many readings were taken, and how long that took."""
        since_s = 0.0 if self._last_s is None else self._now() - self._last_s
        self._strained = False
        self._measure(count, took_s)
        if lane == "backfill":
            self._each_s = took_s / count if self._each_s is None else _blend(self._each_s, took_s / count)
        if self._is_slow(took_s):
            self._slow_down(_SLOWER)
        else:
            self._usual_s = took_s if self._usual_s is None else _blend(self._usual_s, took_s)
            self._speed_up(since_s)
        now_s = self._now()
        self._free_at = now_s + count / self.per_s
        if lane != "live" and self._backfill_per_s:
            self._backfill_at = now_s + count / self._backfill_per_s

    def overloaded(self, after_s: float | None) -> None:
        """Note that the upstream wants less, and for how long nothing, if it said so.

        Half of it, once until it takes something again: how fast it was asked says nothing while it takes nothing.
        """
        if not self._strained:
            self._strained = True
            self._slow_down(_HALF)
        if after_s is not None:
            self._free_at = self._now() + min(after_s, _LONGEST_PAUSE_S)

    def _measure(self, count: int, took_s: float) -> None:
        """Note how fast the upstream took readings while there were any: a quiet street says nothing of it."""
        now_s = self._now()
        if self._last_s is not None and now_s > self._last_s:
            busy_s = took_s + max(0.0, self._free_at - self._last_s)
            per_s = count / min(now_s - self._last_s, max(busy_s, _LEAST_BUSY_S))
            self._recent_per_s = per_s if self._recent_per_s is None else _blend(self._recent_per_s, per_s)
        self._last_s = now_s

    def _is_slow(self, took_s: float) -> bool:
        return self._usual_s is not None and took_s > max(_SLOW_FLOOR_S, _SLOW_FACTOR * self._usual_s)

    def _slow_down(self, factor: float) -> None:
        known = self.per_s if self._recent_per_s is None else min(self.per_s, self._recent_per_s)
        self.per_s = max(_LEAST_PER_S, min(known, _FREE_PER_S) * factor)

    def _speed_up(self, since_s: float) -> None:
        growth = max(_GROWTH, _GROWTH_A_S ** min(since_s, _GROWTH_LONGEST_S))
        faster = self.per_s * growth + 1.0
        self.per_s = self._most if faster >= min(self._most, _FREE_PER_S) else faster


def _blend(old: float, new: float) -> float:
    return old + _WEIGHT * (new - old)
