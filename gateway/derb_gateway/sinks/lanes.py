"""How far a sink has got when it does not wait for its backlog: a cursor, and stretches delivered ahead of it. Pure.

A sink that was away for long is given what comes now at once, in the live lane, and the past behind it, in the backfill
lane. What is delivered is all up to `done`, and the stretches in `ahead`.
"""

import json
from typing import NamedTuple

from derb_gateway.sinks.base import Lane
from derb_gateway.store import Store

_STRETCHES = 16  # an upstream that comes and goes; more, and the live lane waits for the backfill


class Stretch(NamedTuple):
    """Readings with an id above `after` and up to `upto`."""

    after: int
    upto: int


class Lanes(NamedTuple):
    """What a sink has: ids up to `done`, and stretches beyond it, lowest first."""

    done: int
    ahead: tuple[Stretch, ...] = ()

    @property
    def newest(self) -> int:
        """Return the highest id up to which the live lane has got."""
        return self.ahead[-1].upto if self.ahead else self.done

    def backlog(self) -> Stretch | None:
        """Return what lies between the cursor and what was delivered ahead of it."""
        return Stretch(self.done, self.ahead[0].after) if self.ahead else None

    def live(self, top: int) -> Stretch | None:
        """Return what the live lane has not had yet."""
        return Stretch(self.newest, top) if top > self.newest else None

    def split(self, top: int, live_after: int, keep: int) -> "Lanes":
        """Return the lanes with the live one moved to the last `keep` readings, if it is more than `live_after` behind."""
        start = top - keep
        if not live_after or top - self.newest <= live_after or start <= self.newest:
            return self
        if len(self.ahead) >= _STRETCHES:
            return self
        return Lanes(self.done, (*self.ahead, Stretch(start, start)))

    def passed(self, lane: Lane, upto: int) -> "Lanes":
        """Return the lanes after one of them has delivered up to an id."""
        if lane == "live" and self.ahead:
            return Lanes(self.done, (*self.ahead[:-1], Stretch(self.ahead[-1].after, upto)))
        done, ahead = max(self.done, upto), self.ahead
        while ahead and done >= ahead[0].after:
            done, ahead = max(done, ahead[0].upto), ahead[1:]
        return Lanes(done, ahead)


def live_name(sink: str) -> str:
    """Return under which name a sink's live lane has a cursor; no sink can have it."""
    return f"{sink}/live"


def load_lanes(store: Store, sink: str) -> tuple[Lanes, str | None]:
    """Return how far a sink has got, and what it wrote beside it."""
    done, state = store.cursor(sink)
    _, ahead = store.cursor(live_name(sink))
    return Lanes(done, read_ahead(ahead)), state


def save_lanes(store: Store, sink: str, lanes: Lanes, state: str | None) -> None:
    """Write how far a sink has got."""
    store.save_cursor(sink, lanes.done, state)
    if lanes.ahead:
        store.save_cursor(live_name(sink), lanes.newest, json.dumps(lanes.ahead))
    else:
        store.forget_cursor(live_name(sink))


def read_ahead(text: str | None) -> tuple[Stretch, ...]:
    """Return the stretches as `save_lanes` wrote them."""
    return tuple(Stretch(*stretch) for stretch in json.loads(text)) if text else ()
