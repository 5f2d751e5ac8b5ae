"""How well a detector followed the truth of a bay."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from derb_tools.street.events import MatchedEvents, match_events
from derb_tools.street.trace import FREE, OCCUPIED, STATE_NAMES, Truth
from derb_tools.street.types import Flags, Floats, Ints
from derb_tools.street.vehicles import WEAK_KINDS

UNKNOWN = -1
Change = tuple[int, str]


@dataclass(frozen=True)
class ParkingFigures:
    """Percentages of judged time; `strict` counts `unknown` as wrong, `strong` leaves weak vehicles out."""

    balanced_accuracy_pct: float | None
    balanced_accuracy_strict_pct: float | None
    strong_balanced_accuracy_pct: float | None
    strong_balanced_accuracy_strict_pct: float | None
    unknown_pct: float
    longest_wrong_s: float
    strong_longest_wrong_s: float
    true_transitions: int
    transitions_ratio: float | None
    ghosts_per_1000: float | None
    missed_per_1000: float | None
    strong_missed_per_1000: float | None
    latency_median_s: float | None
    latency_p95_s: float | None
    fault_unknown_pct: float | None
    fault_wrong_pct: float | None


@dataclass(frozen=True)
class _Pieces:
    """Stretches of time in which neither the truth nor the detector changes."""

    length_s: Floats
    truth: Ints
    said: Ints
    excluded: Flags
    weak: Flags
    faulty: Flags


def score_parking(truth: Truth, changes: Iterable[Change]) -> ParkingFigures:
    """Figures for one recording from the detector's states at their times."""
    told = sorted((t_ms, _code(state)) for t_ms, state in changes)
    pieces = _pieces(truth, told)
    judged, strong = ~pieces.excluded, ~pieces.excluded & ~pieces.weak
    events = match_events(truth, told)
    return ParkingFigures(
        balanced_accuracy_pct=_balanced(pieces, judged, strict=False),
        balanced_accuracy_strict_pct=_balanced(pieces, judged, strict=True),
        strong_balanced_accuracy_pct=_balanced(pieces, strong, strict=False),
        strong_balanced_accuracy_strict_pct=_balanced(pieces, strong, strict=True),
        unknown_pct=_share(pieces, judged, pieces.said == UNKNOWN) or 0.0,
        longest_wrong_s=_longest_wrong_s(pieces, judged),
        strong_longest_wrong_s=_longest_wrong_s(pieces, strong),
        true_transitions=events.required,
        transitions_ratio=_ratio(events.detected, events.required),
        ghosts_per_1000=_per_1000(events.ghosts, events.required),
        missed_per_1000=_per_1000(events.missed, events.required),
        strong_missed_per_1000=_per_1000(events.strong_missed, events.strong_required),
        latency_median_s=_percentile(events, 50.0),
        latency_p95_s=_percentile(events, 95.0),
        fault_unknown_pct=_share(pieces, pieces.faulty, pieces.said == UNKNOWN),
        fault_wrong_pct=_share(pieces, pieces.faulty, pieces.said == 1 - pieces.truth),
    )


def _code(state: str) -> int:
    if state == "unknown":
        return UNKNOWN
    if state not in STATE_NAMES:
        raise ValueError(f"{state!r} is not a state: free, occupied or unknown")
    return STATE_NAMES.index(state)


def _pieces(truth: Truth, told: Sequence[tuple[int, int]]) -> _Pieces:
    """Before the detector's first word its state is unknown."""
    said_ms = np.array([t_ms for t_ms, _ in told], dtype=np.int64)
    said = np.array([UNKNOWN, *(state for _, state in told)], dtype=np.int64)
    cuts = np.unique(np.concatenate([truth.t_ms, said_ms, [truth.end_ms]]))
    cuts = cuts[(cuts >= truth.t_ms[0]) & (cuts <= truth.end_ms)]
    begin = cuts[:-1]
    interval = truth.index_at(begin)
    weak = np.array([kind in WEAK_KINDS for kind in truth.vehicle], dtype=np.bool_)
    faulty = np.array([note in ("stuck", "saturated") for note in truth.note], dtype=np.bool_)
    return _Pieces(
        length_s=np.diff(cuts) / 1000.0,
        truth=truth.state[interval],
        said=said[np.searchsorted(said_ms, begin, side="right")],
        excluded=truth.excluded[interval],
        weak=weak[interval],
        faulty=faulty[interval],
    )


def _balanced(pieces: _Pieces, judged: Flags, *, strict: bool) -> float | None:
    """Mean of the two states' shares of time that were told rightly; of one state if the other never was."""
    counted = judged if strict else judged & (pieces.said != UNKNOWN)
    shares = [
        _share(pieces, counted & (pieces.truth == state), pieces.said == state) for state in (FREE, OCCUPIED)
    ]
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


def _share(pieces: _Pieces, within: Flags, hit: Flags) -> float | None:
    total = float(pieces.length_s[within].sum())
    return 100.0 * float(pieces.length_s[within & hit].sum()) / total if total > 0 else None


def _longest_wrong_s(pieces: _Pieces, judged: Flags) -> float:
    """What is not judged neither lengthens a wrong stretch nor ends it."""
    longest = current = 0.0
    for length, truth, said in zip(
        pieces.length_s[judged], pieces.truth[judged], pieces.said[judged], strict=True
    ):
        current = current + float(length) if said == 1 - truth else 0.0
        longest = max(longest, current)
    return longest


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _per_1000(part: int, whole: int) -> float | None:
    return 1000.0 * part / whole if whole else None


def _percentile(events: MatchedEvents, percent: float) -> float | None:
    return float(np.percentile(events.latency_s, percent)) if events.latency_s else None
