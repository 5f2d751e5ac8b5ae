"""A stretch of readings on its way to a sink, cut into pieces where the sink refuses a part of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from derb_gateway.errors import SinkPartly
from derb_gateway.registry import Registry
from derb_gateway.sinks.base import Batch, Lane
from derb_gateway.store import StoredReading
from derb_gateway.upstream import upstream_reading

_TRIES_OF_A_HALF = 2
_FRAME_BYTES = 330  # of a reading as JSON, its body aside


@dataclass(frozen=True, slots=True)
class Piece:
    """Readings to be delivered in one batch; once they are, all ids of their lane up to `upto` are."""

    lane: Lane
    upto: int
    rows: tuple[StoredReading, ...]
    upstream: tuple[dict[str, Any], ...] = field(repr=False)
    tries: int = 0
    failures: int = 0  # as a whole, though the upstream was there

    def batch(self) -> Batch:
        """Return what a sink gets of it."""
        return Batch(self.rows[0].id, self.rows[-1].id, self.upstream, self.lane)

    def halves(self) -> list["Piece"]:
        """Return two pieces of about the same size; of what has failed often, each is tried a few times more."""
        middle = len(self.rows) // 2
        cut = replace(self, failures=max(0, self.failures - _TRIES_OF_A_HALF))
        first = replace(
            cut, upto=self.rows[middle - 1].id, rows=self.rows[:middle], upstream=self.upstream[:middle]
        )
        return [first, replace(cut, rows=self.rows[middle:], upstream=self.upstream[middle:])]

    def only(self, places: Sequence[int]) -> "Piece":
        """Return the same piece with some of its readings; it counts as a try once the sink takes others of them."""
        rows, upstream = tuple(self.rows[i] for i in places), tuple(self.upstream[i] for i in places)
        tries = self.tries + 1 if self.tries or len(rows) < len(self.rows) else 0
        return replace(self, rows=rows, upstream=upstream, tries=tries)

    def sorted_out(self, partly: SinkPartly) -> tuple[dict[int, str], dict[int, str]]:
        """Return which places are refused and which may be taken next time; a place that is none does not count."""
        places = range(len(self.rows))
        refused = {place: why for place, why in partly.refused.items() if place in places}
        again = {
            place: why for place, why in partly.again.items() if place in places and place not in refused
        }
        return refused, again


def piece(lane: Lane, upto: int, rows: list[StoredReading], registry: Registry) -> Piece:
    """Return rows as one piece, in the upstream format."""
    return Piece(lane, upto, tuple(rows), tuple(upstream_reading(row, registry) for row in rows))


def within_bytes(rows: list[StoredReading], at_most: int) -> list[StoredReading]:
    """Return the first rows that make a batch of about so many bytes, and one at least."""
    total = 0
    for count, row in enumerate(rows):
        total += _FRAME_BYTES + len(row.body)
        if total > at_most and count:
            return rows[:count]
    return rows
