"""Scores from files: which kind of recording it is, what detected it, which figures follow."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from derb_tools.errors import RecordingError
from derb_tools.progress import with_progress
from derb_tools.street.answers import LEVEL, PARKING, Answer, read_answers
from derb_tools.street.level_score import LevelFigures, score_level
from derb_tools.street.level_truth import is_level_truth, read_level_truth
from derb_tools.street.parking_score import ParkingFigures, score_parking
from derb_tools.street.references import REFERENCES
from derb_tools.street.trace import Truth, read_truth
from derb_tools.street.trace_file import read_trace
from derb_tools.trace_samples import Tally

LACKING_LEAST_MS = 60_000

Scored = Iterator[tuple[str, ParkingFigures | LevelFigures]]


def score_files(trace: Path, truth: Path, replayed: str | None, references: bool, tally: Tally) -> Scored:
    """Figures by detector; unless what it said is in `replayed`, the firmware's detection is run first, and `tally` kept.

    Raises ToolError, OSError.
    """
    if is_level_truth(truth):
        yield "derb", _score_level(trace, truth, replayed, tally)
        return
    known = read_truth(truth)
    yield "derb", _score_parking(trace, known, replayed, tally)
    if references:
        yield from _score_references(trace, known)


def replay_parking_file(trace: Path, tally: Tally) -> Iterator[Answer]:
    """What the firmware says of a recording; imported late, it needs a MicroPython."""
    from derb_tools.replay import replay_parking
    from derb_tools.trace_samples import parking_samples

    return replay_parking(with_progress(parking_samples(trace, tally)))


def replay_level_file(trace: Path, empty_mm: int, full_mm: int, tally: Tally) -> Iterator[Answer]:
    """The same for a level recording."""
    from derb_tools.replay import replay_level
    from derb_tools.trace_samples import level_samples

    return replay_level(with_progress(level_samples(trace, tally)), empty_mm, full_mm)


def _score_parking(trace: Path, truth: Truth, replayed: str | None, tally: Tally) -> ParkingFigures:
    found: Iterable[Answer] = (
        replay_parking_file(trace, tally) if replayed is None else read_answers(replayed, PARKING)
    )
    figures = score_parking(truth, ((answer["t_ms"], answer["state"]) for answer in found))
    if tally.first_ms is not None and tally.last_ms is not None:
        tally.doubts += _lacking(truth, tally.first_ms, tally.last_ms)
    return figures


def _lacking(truth: Truth, first_ms: int, last_ms: int) -> Iterator[str]:
    """A line where a good part of the truth has no samples. Raises RecordingError where all of it has none."""
    begin_ms, end_ms = int(truth.t_ms[0]), truth.end_ms
    if last_ms < begin_ms or first_ms > end_ms:
        raise RecordingError(
            f"the recording is of t_ms {first_ms} to {last_ms}, the truth of {begin_ms} to {end_ms}: not of one time"
        )
    lacking_ms = max(0, first_ms - begin_ms) + max(0, end_ms - last_ms)
    if lacking_ms > max(LACKING_LEAST_MS, (end_ms - begin_ms) // 20):
        yield f"the recording lacks {lacking_ms / 60_000:.0f} min of its truth: they are scored all the same"


def _score_references(trace: Path, truth: Truth) -> Scored:
    recording = read_trace(trace, truth)
    for name, reference in REFERENCES.items():
        yield name, score_parking(truth, reference(recording))


def _score_level(trace: Path, truth: Path, replayed: str | None, tally: Tally) -> LevelFigures:
    known = read_level_truth(truth)
    found: Iterable[Answer] = (
        replay_level_file(trace, known.empty_mm, known.full_mm, tally)
        if replayed is None
        else read_answers(replayed, LEVEL)
    )
    return score_level(known, list(found))
