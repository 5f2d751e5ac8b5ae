"""When places are closed: the [[closed]] tables as periods of time. Pure.

Weekly ones are local: a market from 6 to 14 is that on the day the clocks move, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import NamedTuple

from derb_gateway.registry_file import DAYS, ClosedEntry, RegistryFile
from derb_gateway.site_time import local, unix_ms

FOR_EVER_MS = 1 << 62
_DAY_MS = 24 * 3_600_000
_LOOKED_AHEAD_MS = 8 * _DAY_MS

PlaceKey = tuple[str, str]
"""("bay" or "container", its id)."""


class Period(NamedTuple):
    """From `from_ms` on and before `until_ms`, and why."""

    from_ms: int
    until_ms: int
    why: str


@dataclass(frozen=True)
class Rule:
    """One [[closed]] table, told apart by its number in the file."""

    number: int
    entry: ClosedEntry = field(compare=False)
    timezone: str = field(compare=False)

    def periods(self, after_ms: int, before_ms: int) -> Iterator[Period]:
        """Yield the periods that reach into a stretch of time."""
        found = self._weekly(after_ms, before_ms) if self.entry.weekly else iter([self._once()])
        return (each for each in found if each.from_ms < before_ms and each.until_ms > after_ms)

    def _once(self) -> Period:
        begins, until = self.entry.begins, self.entry.until
        assert isinstance(begins, datetime)
        ends = unix_ms(until, self.timezone) if isinstance(until, datetime) else FOR_EVER_MS
        return Period(unix_ms(begins, self.timezone), ends, self.entry.why)

    def _weekly(self, after_ms: int, before_ms: int) -> Iterator[Period]:
        begins, ends = self.entry.begins, self.entry.until
        day = local(after_ms, self.timezone).date() - timedelta(days=1)
        last = local(min(before_ms, after_ms + 366 * _DAY_MS), self.timezone).date()
        while day <= last:
            if DAYS[day.weekday()] in self.entry.weekly:
                yield self._of_day(datetime.combine(day, _time(begins)), _time(ends))
            day += timedelta(days=1)

    def _of_day(self, begins: datetime, ends: time) -> Period:
        until = datetime.combine(begins.date() + timedelta(days=ends <= begins.time()), ends)
        return Period(unix_ms(begins, self.timezone), unix_ms(until, self.timezone), self.entry.why)


class Closures:
    """The rules of every place that has any."""

    def __init__(self, rules: Mapping[PlaceKey, tuple[Rule, ...]]) -> None:
        self.rules = rules
        self._latest: dict[tuple[Rule, ...], tuple[int, int, Period | None]] = {}
        self._asked: dict[tuple[Rule, ...], tuple[int, int, list[Period]]] = {}

    def at(self, place: PlaceKey, at_ms: int) -> Period | None:
        """Return the period in which a place is closed at a moment; those that touch or overlap are one."""
        rules = self.rules.get(place)
        if rules is None:
            return None
        latest = self._latest.get(rules)  # readings come in the order of time, mostly
        if latest is None or not latest[0] <= at_ms < latest[1]:
            latest = self._latest[rules] = _stretch(rules, at_ms)
        return latest[2]

    def periods(self, place: PlaceKey, after_ms: int, before_ms: int) -> list[Period]:
        """Return the periods of a place that reach into a stretch, in order, none touching another."""
        rules = self.rules.get(place, ())
        asked = self._asked.get(rules)  # the places of a zone have the same
        if asked is None or asked[:2] != (after_ms, before_ms):
            asked = self._asked[rules] = (after_ms, before_ms, _periods(rules, after_ms, before_ms))
        return asked[2]

    def next_change(self, after_ms: int) -> int:
        """Return when some place is closed or opened next, at most some days from now."""
        nearest_ms = after_ms + _LOOKED_AHEAD_MS
        for rules in set(self.rules.values()):
            nearest_ms = min(nearest_ms, _stretch(rules, after_ms)[1])
        return nearest_ms


def _stretch(rules: tuple[Rule, ...], at_ms: int) -> tuple[int, int, Period | None]:
    """Return a stretch of time around a moment in which nothing changes, and the period if it is a closed one."""
    begin_ms, end_ms = max(0, at_ms - _LOOKED_AHEAD_MS), at_ms + _LOOKED_AHEAD_MS
    for period in _periods(rules, begin_ms, end_ms):
        if period.from_ms <= at_ms < period.until_ms:
            return *period[:2], period
        if period.until_ms <= at_ms:
            begin_ms = max(begin_ms, period.until_ms)
        else:
            end_ms = min(end_ms, period.from_ms)
    return begin_ms, end_ms, None


def _periods(rules: tuple[Rule, ...], after_ms: int, before_ms: int) -> list[Period]:
    return [
        period
        for period in _joined(each for rule in rules for each in _widely(rule, after_ms, before_ms))
        if period.from_ms < before_ms and period.until_ms > after_ms
    ]


def _widely(rule: Rule, after_ms: int, before_ms: int) -> Iterator[Period]:
    """Yield the periods of some days more, so that one which goes on from another is joined to it."""
    return rule.periods(max(0, after_ms - _LOOKED_AHEAD_MS), before_ms + _LOOKED_AHEAD_MS)


def _joined(periods: Iterable[Period]) -> Iterator[Period]:
    current: Period | None = None
    for each in sorted(periods):
        if current is not None and each.from_ms <= current.until_ms:
            current = Period(current.from_ms, max(current.until_ms, each.until_ms), current.why)
        else:
            if current is not None:
                yield current
            current = each
    if current is not None:
        yield current


def _time(value: object) -> time:
    assert isinstance(value, time)
    return value


def closures_of(read: RegistryFile) -> Closures:
    """Return a registry file's closures; those of a zone are those of each place in it."""
    named: dict[tuple[str, str], tuple[Rule, ...]] = {}
    for i, entry in enumerate(read.closed):
        named[entry.place] = (*named.get(entry.place, ()), Rule(i, entry, read.site.timezone))
    rules = {
        (kind, place.id): (*named.get((kind, place.id), ()), *named.get(("zone", place.zone), ()))
        for kind, places in (("bay", read.bay), ("container", read.container))
        for place in places
    }
    return Closures({place: each for place, each in rules.items() if each})
