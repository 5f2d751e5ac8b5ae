"""Scores from files: which kind of recording it is, what detected it, which figures follow."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from derb_tools.errors import RecordingError
from derb_tools.street.answers import LEVEL, PARKING, Answer, read_answers
from derb_tools.street.level_score import LevelFigures, score_level
from derb_tools.street.level_truth import is_level_truth, read_level_truth
from derb_tools.street.parking_score import ParkingFigures, score_parking
from derb_tools.street.references import REFERENCES
from derb_tools.street.trace import Truth, read_truth
from derb_tools.street.trace_file import read_trace
from derb_tools.trace_samples import Tally

Scored = Iterator[tuple[str, ParkingFigures | LevelFigures]]


def score_files(trace: Path, truth: Path, replayed: str | None, references: bool, tally: Tally) -> Scored:
    """Figures by detector; unless what it said is in `replayed`, the firmware's detection is run first, and `tally` kept.

    Raises ToolError, OSError.
    """
    if _is_level(truth):
        yield "derb", _score_level(trace, truth, replayed, tally)
        return
    known = read_truth(truth)
    yield "derb", _score_parking(trace, known, replayed, tally)
    if references:
        yield from _score_references(trace, known)


def _is_level(truth: Path) -> bool:
    try:
        return is_level_truth(truth)
    except UnicodeDecodeError as error:
        raise RecordingError(f"{truth} is not a text file in UTF-8: {error.reason}") from error


def replay_parking_file(trace: Path, tally: Tally) -> Iterator[Answer]:
    """What the firmware says of a recording; imported late, it needs a MicroPython."""
    from derb_tools.replay import replay_parking
    from derb_tools.trace_samples import parking_samples

    return replay_parking(parking_samples(trace, tally))


def replay_level_file(trace: Path, empty_mm: int, full_mm: int, tally: Tally) -> Iterator[Answer]:
    """The same for a level recording."""
    from derb_tools.replay import replay_level
    from derb_tools.trace_samples import level_samples

    return replay_level(level_samples(trace, tally), empty_mm, full_mm)


def _score_parking(trace: Path, truth: Truth, replayed: str | None, tally: Tally) -> ParkingFigures:
    found: Iterable[Answer] = (
        replay_parking_file(trace, tally) if replayed is None else read_answers(replayed, PARKING)
    )
    return score_parking(truth, ((answer["t_ms"], answer["state"]) for answer in found))


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
