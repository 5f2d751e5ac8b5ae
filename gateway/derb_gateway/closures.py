"""When places are closed: the [[closed]] tables as periods of time. Pure.

Weekly ones are local: a market from 6 to 14 is that on the day the clocks move, too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple

from derb_gateway.registry_file import DAYS, ClosedEntry, RegistryFile
from derb_gateway.site_time import local, unix_ms

FOR_EVER_MS = 1 << 62
_HOUR_MS = 3_600_000


class Period(NamedTuple):
    """From `from_ms` on and before `until_ms`, and why."""

    from_ms: int
    until_ms: int
    why: str


class Rule(NamedTuple):
    """One [[closed]] table."""

    entry: ClosedEntry
    timezone: str

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
        last = local(min(before_ms, after_ms + 366 * 24 * _HOUR_MS), self.timezone).date()
        while day <= last:
            if DAYS[day.weekday()] in self.entry.weekly:
                yield self._of_day(datetime.combine(day, _time(begins)), _time(ends))
            day += timedelta(days=1)

    def _of_day(self, begins: datetime, ends: time) -> Period:
        until = datetime.combine(begins.date() + timedelta(days=ends <= begins.time()), ends)
        return Period(unix_ms(begins, self.timezone), unix_ms(until, self.timezone), self.entry.why)


class Closures:
    """The rules of every place that has any, by ("bay", id) or ("container", id)."""

    def __init__(self, rules: Mapping[tuple[str, str], Sequence[Rule]]) -> None:
        self.rules = rules

    def at(self, kind: str, place: str, at_ms: int) -> Period | None:
        """Return the period in which a place is closed at a moment; of those that touch or overlap, all as one."""
        found = None
        for period in self.periods(kind, place, at_ms, at_ms + 1):
            found = period
        return found

    def periods(self, kind: str, place: str, after_ms: int, before_ms: int) -> list[Period]:
        """Return the periods of a place that reach into a stretch, in order, none touching another."""
        rules = self.rules.get((kind, place), ())
        return [
            period
            for period in _joined(each for rule in rules for each in _widely(rule, after_ms, before_ms))
            if period.from_ms < before_ms and period.until_ms > after_ms
        ]


def _widely(rule: Rule, after_ms: int, before_ms: int) -> Iterator[Period]:
    """Yield the periods of some days more, so that one which goes on from another is joined to it."""
    more_ms = 8 * 24 * _HOUR_MS
    return rule.periods(max(0, after_ms - more_ms), before_ms + more_ms)


def _joined(periods: Iterable[Period]) -> Iterator[Period]:
    current: Period | None = None
    for each in sorted(periods):
        if current is not None and each.from_ms <= current.until_ms:
            current = Period(current.from_ms, max(current.until_ms, each.until_ms), current.why or each.why)
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
    rules: dict[tuple[str, str], list[Rule]] = {}
    zones: dict[str, list[Rule]] = {}
    for entry in read.closed:
        rule = Rule(entry, read.site.timezone)
        if entry.zone is not None:
            zones.setdefault(entry.zone, []).append(rule)
        elif entry.bay is not None:
            rules.setdefault(("bay", entry.bay), []).append(rule)
        elif entry.container is not None:
            rules.setdefault(("container", entry.container), []).append(rule)
    if zones:
        for kind, places in (("bay", read.bay), ("container", read.container)):
            for place in places:
                if place.zone in zones:
                    rules.setdefault((kind, place.id), []).extend(zones[place.zone])
    return Closures(rules)
