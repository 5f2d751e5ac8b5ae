"""A set of sequence numbers as few closed intervals. Pure."""

from bisect import bisect_right
from collections.abc import Iterable


class IntervalSet:
    """Closed intervals that neither overlap nor touch, in rising order."""

    __slots__ = ("_highs", "_lows")

    def __init__(self, intervals: Iterable[tuple[int, int]] = ()) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        for low, high in intervals:
            self.add(low, high)

    def __contains__(self, number: int) -> bool:
        return self.run(number) is not None

    def intervals(self) -> list[tuple[int, int]]:
        """Return (low, high) pairs in rising order."""
        return list(zip(self._lows, self._highs, strict=True))

    def top(self) -> int:
        """Return the greatest number, -1 if there is none."""
        return self._highs[-1] if self._highs else -1

    def run(self, number: int) -> tuple[int, int] | None:
        """Return the interval around a number, None if it is not in the set."""
        at = bisect_right(self._lows, number) - 1
        if at < 0 or self._highs[at] < number:
            return None
        return self._lows[at], self._highs[at]

    def add(self, low: int, high: int) -> None:
        """Add all numbers from low to high, merging what touches."""
        first = bisect_right(self._lows, low) - 1
        if first < 0 or self._highs[first] < low - 1:
            first += 1
        end = first
        while end < len(self._lows) and self._lows[end] <= high + 1:
            low, high = min(low, self._lows[end]), max(high, self._highs[end])
            end += 1
        self._lows[first:end] = [low]
        self._highs[first:end] = [high]
