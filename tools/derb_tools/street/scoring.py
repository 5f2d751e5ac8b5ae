"""Scores from files: which kind of recording it is, what detected it, which figures follow."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from derb_tools.errors import RecordingError
from derb_tools.street.level_score import LevelFigures, score_level
from derb_tools.street.level_truth import is_level_truth, read_level_truth
from derb_tools.street.parking_score import ParkingFigures, score_parking
from derb_tools.street.references import REFERENCES
from derb_tools.street.trace import Truth, read_truth
from derb_tools.street.trace_file import read_trace

Answer = dict[str, Any]
Scored = Iterator[tuple[str, ParkingFigures | LevelFigures]]


def score_files(trace: Path, truth: Path, answers: Sequence[Answer] | None, references: bool) -> Scored:
    """Figures by detector; without `answers` the firmware's detection is run first. Raises ToolError."""
    try:
        if is_level_truth(truth):
            yield "derb", _score_level(trace, truth, answers)
            return
        known = read_truth(truth)
        yield "derb", _score_parking(trace, known, answers)
        if references:
            yield from _score_references(trace, known)
    except UnicodeDecodeError as error:
        raise RecordingError(f"{truth} is not a text file in UTF-8: {error.reason}") from error
    except ValueError as error:
        raise RecordingError(str(error)) from error


def replay_parking_file(trace: Path) -> Iterator[Answer]:
    """What the firmware says of a recording; imported late, it needs a MicroPython."""
    from derb_tools.replay import replay_parking
    from derb_tools.trace_samples import Tally, parking_samples

    return replay_parking(parking_samples(trace, Tally()))


def replay_level_file(trace: Path, empty_mm: int, full_mm: int) -> Iterator[Answer]:
    """The same for a level recording."""
    from derb_tools.replay import replay_level
    from derb_tools.trace_samples import Tally, level_samples

    return replay_level(level_samples(trace, Tally()), empty_mm, full_mm)


def _score_parking(trace: Path, truth: Truth, answers: Iterable[Answer] | None) -> ParkingFigures:
    found = replay_parking_file(trace) if answers is None else answers
    return score_parking(truth, ((_field(a, "t_ms"), _field(a, "state")) for a in found))


def _score_references(trace: Path, truth: Truth) -> Scored:
    recording = read_trace(trace, truth)
    for name, reference in REFERENCES.items():
        yield name, score_parking(truth, reference(recording))


def _score_level(trace: Path, truth: Path, answers: Iterable[Answer] | None) -> LevelFigures:
    known = read_level_truth(truth)
    found = replay_level_file(trace, known.empty_mm, known.full_mm) if answers is None else answers
    return score_level(known, list(found))


def _field(answer: Answer, name: str) -> Any:
    if name not in answer:
        raise ValueError(f"an answer of the replay has no {name!r}: {answer}")
    return answer[name]
