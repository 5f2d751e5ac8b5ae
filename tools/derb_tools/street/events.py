"""Which of a detector's changes of state belong to which true one."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from derb_tools.street.trace import Truth
from derb_tools.street.vehicles import WEAK_KINDS

EARLY_MS = 5_000
LATE_MS = 120_000
TOO_SHORT_TO_TELL_MS = 20_000
"""A state that lasts less (the gap of a swap) need not be told; it may be."""


@dataclass(frozen=True)
class TrueEvent:
    """A change of the truth; a detector may tell it from the start of the manoeuvre on."""

    t_ms: int
    from_ms: int
    state: int
    weak: bool
    required: bool


@dataclass(frozen=True)
class MatchedEvents:
    """Counts over one recording; `detected` leaves out what was told of states too short to be required."""

    required: int
    strong_required: int
    detected: int
    missed: int
    strong_missed: int
    ghosts: int
    latency_s: list[float]


def match_events(truth: Truth, told: Sequence[tuple[int, int]]) -> MatchedEvents:
    """Each true event takes the first untaken change to its state, up to two minutes late."""
    events = true_events(truth)
    changes = _decided_changes(told)
    taken: set[int] = set()
    latency_s, missed, optional = [], [], 0
    for event in events:
        found = _first_match(event, changes, taken)
        if found is not None:
            taken.add(found)
            optional += not event.required
            latency_s.append(max(0.0, (changes[found][0] - event.t_ms) / 1000.0))
        elif event.required:
            missed.append(event)
    required = [event for event in events if event.required]
    return MatchedEvents(
        required=len(required),
        strong_required=sum(not event.weak for event in required),
        detected=len(changes) - optional,
        missed=len(missed),
        strong_missed=sum(not event.weak for event in missed),
        ghosts=len(changes) - len(taken),
        latency_s=latency_s,
    )


def true_events(truth: Truth) -> list[TrueEvent]:
    """The changes of state, with the vehicle that made them."""
    events: list[TrueEvent] = []
    at = [i for i in range(1, len(truth.t_ms)) if truth.state[i] != truth.state[i - 1]]
    times = [*(int(truth.t_ms[i]) for i in at), truth.end_ms]
    lasts = [end - begin for begin, end in itertools.pairwise(times)]
    for order, i in enumerate(at):
        kind = truth.vehicle[i] if truth.state[i] == 1 else truth.vehicle[i - 1]
        short = lasts[order] < TOO_SHORT_TO_TELL_MS or (order > 0 and lasts[order - 1] < TOO_SHORT_TO_TELL_MS)
        begin = int(truth.t_ms[i - 1]) if truth.excluded[i - 1] else int(truth.t_ms[i])
        events.append(
            TrueEvent(int(truth.t_ms[i]), begin, int(truth.state[i]), kind in WEAK_KINDS, not short)
        )
    return events


def _decided_changes(told: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Changes between free and occupied; a spell of unknown between them does not count as one."""
    changes, last = [], None
    for t_ms, state in told:
        if state < 0 or state == last:
            continue
        if last is not None:
            changes.append((t_ms, state))
        last = state
    return changes


def _first_match(event: TrueEvent, changes: Sequence[tuple[int, int]], taken: set[int]) -> int | None:
    for index, (t_ms, state) in enumerate(changes):
        if t_ms > event.t_ms + LATE_MS:
            return None
        if t_ms >= event.from_ms - EARLY_MS and state == event.state and index not in taken:
            return index
    return None
