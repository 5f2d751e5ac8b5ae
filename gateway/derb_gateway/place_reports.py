"""What is due to be said of places that are closed or opened. Pure.

A report's identity is (place, 1, number): the number is the moment of the change in Unix seconds, or one more than the last
report's if that is not more. So a change has one key however often it is worked out, after a restart or with a new store too.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from derb_gateway.closures import Closures, Period, PlaceKey

CLOSED = "closed"


class Reported(NamedTuple):
    """What was said last of a place."""

    state: str
    at_ms: int
    number: int


class PlaceReport(NamedTuple):
    """A place is in a state since a moment; `why` it is closed."""

    place: PlaceKey
    state: str
    at_ms: int
    number: int
    why: str

    def reported(self) -> Reported:
        """Return what is kept of it."""
        return Reported(self.state, self.at_ms, self.number)


class Sensed(NamedTuple):
    """What a bay's node says last, and when that was observed."""

    state: str
    at_ms: int


def place_id(place: PlaceKey) -> str:
    """Return what stands where a reading has its node: no node's id has a colon."""
    return ":".join(place)


def reports_due(
    closures: Closures,
    place: PlaceKey,
    last: Reported | None,
    span_ms: tuple[int, int],
    sensed: Callable[[], Sensed],
) -> Iterator[PlaceReport]:
    """Yield what a place did after the first and until the second moment of `span_ms` and nobody was told."""
    after_ms, now_ms = span_ms
    for at_ms, period in _changes(closures, place, after_ms, now_ms):
        if (period is not None) != _is_closed(last):
            report = _report(place, last, at_ms, period, sensed)
            last = report.reported()
            yield report
    if last is not None and not _is_closed(last) and (late := _mended(place, last, sensed())):
        yield late


def taken_over(
    place: PlaceKey, last: Reported | None, since_ms: int, sensed: Callable[[], Sensed]
) -> PlaceReport | None:
    """Return that a bay is as its new node has it, if nothing was said of it since; None if that is not due.

    What the node sensed before it was the bay's bears no place, and its next reading may be hours away.
    """
    if place[0] != "bay" or _is_closed(last) or (last is not None and last.at_ms > since_ms):
        return None
    return _report(place, last, since_ms + 1, None, sensed)  # behind all else that the same second brought


def _changes(
    closures: Closures, place: PlaceKey, after_ms: int, now_ms: int
) -> Iterator[tuple[int, Period | None]]:
    """Yield when a place was closed (with the period) and opened (None), and at last how it is now."""
    for period in closures.periods(place, after_ms, now_ms + 1):
        if period.from_ms > after_ms:
            yield period.from_ms, period
        if period.until_ms <= now_ms:
            yield period.until_ms, None
    now = closures.at(place, now_ms)
    yield (
        (now_ms // 1000 * 1000 if now is None else now.from_ms),
        now,
    )  # in whole seconds, as all in a registry


def _report(
    place: PlaceKey, last: Reported | None, at_ms: int, period: Period | None, sensed: Callable[[], Sensed]
) -> PlaceReport:
    number = max(at_ms // 1000, last.number + 1 if last else 0)
    if period is not None:
        return PlaceReport(place, CLOSED, at_ms, number, period.why)
    state = sensed().state if place[0] == "bay" else "open"
    return PlaceReport(place, state, at_ms, number, "")


def _mended(place: PlaceKey, last: Reported, sensed: Sensed) -> PlaceReport | None:
    """Return the last report anew if what the node had sensed before it came after it; what it senses later speaks for itself."""
    if place[0] != "bay" or sensed.at_ms > last.at_ms or sensed.state in (last.state, "unknown"):
        return None
    return PlaceReport(place, sensed.state, last.at_ms, last.number + 1, "")


def _is_closed(last: Reported | None) -> bool:
    return last is not None and last.state == CLOSED
