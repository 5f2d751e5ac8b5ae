"""What was so in a container at each reading, and its file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from derb_tools.errors import RecordingError
from derb_tools.street.answers import STATUSES
from derb_tools.street.types import Floats, Ints, Strings
from derb_tools.trace_csv import LINE_MAX_CHARACTERS, Row, read_rows, shown
from derb_tools.trace_samples import DISTANCE_MAX_MM, T_MAX_MS
from derb_tools.whole_file import whole_file

MARK = "# level "
COLLECTED = ("", "partial", "full")
SURFACE_MAX_MM, FILL_MAX_PCT = 100_000, 1000
HEADER = "t_ms,surface_mm,fill_pct,collected,fell_pct,fault,accepted"


@dataclass(frozen=True)
class LevelTruth:
    """A row a reading.

    `surface_mm`: the nearest surface under the cone; `fill_pct`: the heap's mean; `collected`: full or
    partial at the first reading after an emptying by `fell_pct` points; `accepted`: the right statuses
    between "|".
    """

    t_ms: Ints
    surface_mm: Floats
    fill_pct: Floats
    collected: Strings
    fell_pct: Floats
    fault: Strings
    accepted: Strings
    empty_mm: int
    full_mm: int


def is_level_truth(path: Path) -> bool:
    """Whether a truth file is a level recording's. Raises OSError, RecordingError."""
    return _first_line(path).startswith(MARK)


def write_level_truth(truth: LevelTruth, path: Path, about: str) -> None:
    """Write the file that `read_level_truth` reads. OSError."""
    with whole_file(path) as file:
        file.writelines(level_truth_lines(truth, about))


def level_truth_lines(truth: LevelTruth, about: str) -> Iterator[str]:
    """The lines of its file; the first one says which container it is."""
    yield f"{MARK}empty_mm={truth.empty_mm} full_mm={truth.full_mm} {about}\n"
    yield HEADER + "\n"
    columns = (
        truth.t_ms,
        [f"{value:.1f}" for value in truth.surface_mm],
        [f"{value:.2f}" for value in truth.fill_pct],
        truth.collected,
        [f"{value:.1f}" for value in truth.fell_pct],
        truth.fault,
        truth.accepted,
    )
    yield from (",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def read_level_truth(path: Path) -> LevelTruth:
    """The inverse of `write_level_truth`. Raises RecordingError."""
    empty_mm, full_mm = _depths(path)
    rows = list(read_rows(path, HEADER.split(","), ()))
    if not rows:
        raise RecordingError(f"{path} has no readings")
    return LevelTruth(
        t_ms=np.array(list(_times_ms(rows)), dtype=np.int64),
        surface_mm=np.array(
            [_number(row, "surface_mm", -SURFACE_MAX_MM, SURFACE_MAX_MM) for row in rows], dtype=np.float64
        ),
        fill_pct=np.array(
            [_number(row, "fill_pct", -FILL_MAX_PCT, FILL_MAX_PCT) for row in rows], dtype=np.float64
        ),
        collected=_words(rows, "collected", COLLECTED),
        fell_pct=np.array(
            [_number(row, "fell_pct", -FILL_MAX_PCT, FILL_MAX_PCT) for row in rows], dtype=np.float64
        ),
        fault=_words(rows, "fault"),
        accepted=_words(rows, "accepted", STATUSES),
        empty_mm=empty_mm,
        full_mm=full_mm,
    )


def _depths(path: Path) -> tuple[int, int]:
    """Which container it is, from the first line."""
    first = _first_line(path)
    about = dict(word.split("=", 1) for word in first.removeprefix(MARK).split() if "=" in word)
    try:
        empty_mm, full_mm = int(about["empty_mm"]), int(about["full_mm"])
    except (KeyError, ValueError):
        empty_mm = full_mm = 0
    if not 0 <= full_mm < empty_mm <= DISTANCE_MAX_MM:
        raise RecordingError(
            f"{path}, line 1: should begin `{MARK}empty_mm=... full_mm=...`, with 0 <= full_mm < empty_mm <= {DISTANCE_MAX_MM}"
        )
    return empty_mm, full_mm


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return file.readline(LINE_MAX_CHARACTERS)
    except UnicodeDecodeError as error:
        raise RecordingError(f"{path} is not a text file in UTF-8: {error.reason}") from None


def _number(row: Row, column: str, low: int, high: int) -> float:
    value = row.number(column, low, high)
    if value is None:
        raise row.error(column, "there is no number")
    return value


def _times_ms(rows: Sequence[Row]) -> Iterator[int]:
    last_ms = None
    for row in rows:
        t_ms = round(_number(row, "t_ms", -T_MAX_MS, T_MAX_MS))
        if last_ms is not None and t_ms <= last_ms:
            raise row.error("t_ms", f"time does not go on, from {last_ms} to {t_ms}")
        last_ms = t_ms
        yield t_ms


def _words(rows: Sequence[Row], column: str, known: Sequence[str] = ()) -> Strings:
    """The column's words; where some are known, each between "|" must be one of them."""
    for row in rows:
        for word in row.cells[column].split("|"):
            if known and word not in known:
                raise row.error(column, f"{shown(word)} is none of {', '.join(filter(None, known))}")
    return np.array([row.cells[column] for row in rows], dtype=object)
