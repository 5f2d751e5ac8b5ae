"""A recording and its truth, and the files they become."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from derb_tools.errors import RecordingError
from derb_tools.street.types import Flags, Floats, Ints, Strings
from derb_tools.trace_csv import Row, read_rows, shown
from derb_tools.trace_samples import T_MAX_MS
from derb_tools.whole_file import whole_file

FREE, OCCUPIED = 0, 1
STATE_NAMES = ("free", "occupied")
ROWS_AT_ONCE = 50_000
TRUTH_HEADER = "t_ms,state,excluded,vehicle,note"


@dataclass(frozen=True)
class Truth:
    """Intervals, each until the next begins; `excluded` ones (manoeuvres, sensor faults) are not judged."""

    t_ms: Ints
    state: Ints
    excluded: Flags
    vehicle: Strings
    note: Strings
    end_ms: int

    def index_at(self, t_ms: Ints) -> Ints:
        """The interval each time falls into."""
        return np.maximum(np.searchsorted(self.t_ms, t_ms, side="right") - 1, 0)


@dataclass(frozen=True)
class Trace:
    """What a node read: nanotesla (n, 3), 1/100 C; and what was so."""

    scenario: str
    seed: int
    t_ms: Ints
    field_nt: Ints
    temp_c100: Ints
    rssi_dbm: Ints | None
    restart: Strings | None
    truth: Truth

    @property
    def truth_state(self) -> Ints:
        """FREE or OCCUPIED at each sample."""
        return self.truth.state[self.truth.index_at(self.t_ms)]

    @property
    def truth_excluded(self) -> Flags:
        """Whether each sample lies in an interval that is not judged."""
        return self.truth.excluded[self.truth.index_at(self.t_ms)]

    @property
    def vehicle(self) -> Strings:
        """Class of the vehicle in the bay at each sample, or empty."""
        return self.truth.vehicle[self.truth.index_at(self.t_ms)]

    @property
    def field_ut(self) -> Floats:
        """The readings in microtesla."""
        return self.field_nt / 1000.0


def truth_path(trace: Path) -> Path:
    """Where the truth of a trace file lies: `x.csv` -> `x.truth.csv`."""
    return trace.with_name(trace.stem + ".truth.csv")


def write_trace(trace: Trace, path: Path) -> None:
    """The CSV that `derb replay parking` reads, and before it the truth beside it; each is whole or not written. OSError."""
    with whole_file(path) as file, whole_file(truth_path(path)) as beside:
        file.writelines(trace_lines(trace))
        beside.writelines(_truth_lines(trace.truth, f"parking scenario={trace.scenario} seed={trace.seed}"))


def trace_lines(trace: Trace) -> Iterator[str]:
    """The lines of the CSV that `derb replay parking` reads."""
    names = ["t_ms", "x_nt", "y_nt", "z_nt", "temp_c100"]
    columns = [trace.t_ms, *trace.field_nt.T, trace.temp_c100]
    if trace.rssi_dbm is not None:
        names.append("rssi_dbm")
        columns.append(trace.rssi_dbm)
    if trace.restart is not None:
        names.append("restart")
        columns.append(trace.restart)
    yield ",".join(names) + "\n"
    for first in range(0, len(trace.t_ms), ROWS_AT_ONCE):
        chunk = [column[first : first + ROWS_AT_ONCE].tolist() for column in columns]
        yield from (",".join(map(str, row)) + "\n" for row in zip(*chunk, strict=True))


def write_truth(truth: Truth, path: Path, about: str) -> None:
    """Intervals as CSV; the first line says what the trace is, the last row ends it. OSError."""
    with whole_file(path) as file:
        file.writelines(_truth_lines(truth, about))


def _truth_lines(truth: Truth, about: str) -> Iterator[str]:
    yield f"# {about}\n"
    yield TRUTH_HEADER + "\n"
    for t, state, excluded, vehicle, note in zip(
        truth.t_ms.tolist(), truth.state, truth.excluded, truth.vehicle, truth.note, strict=True
    ):
        yield f"{t},{STATE_NAMES[state]},{int(excluded)},{vehicle},{note}\n"
    yield f"{truth.end_ms},end,1,,\n"


def read_truth(path: Path) -> Truth:
    """The inverse of `write_truth`; a truth made by hand needs no columns but t_ms and state. Raises RecordingError."""
    rows = list(read_rows(path, ("t_ms", "state"), ("excluded", "vehicle", "note")))
    if len(rows) < 2 or rows[-1].cells["state"] != "end":
        raise RecordingError(f"{path}: a truth needs a row a state and a last row whose state is 'end'")
    t_ms = [_time_ms(row) for row in rows]
    for row, before, now in zip(rows[1:], t_ms, t_ms[1:], strict=False):
        if now < before:
            raise row.error("t_ms", f"time goes back, from {before} to {now}")
    if t_ms[-1] == t_ms[0]:
        raise rows[-1].error("t_ms", "the truth ends where it begins")
    *body, _end = rows
    return Truth(
        t_ms=np.array(t_ms[:-1], dtype=np.int64),
        state=np.array([_one_of(row, "state", STATE_NAMES) for row in body], dtype=np.int64),
        excluded=np.array([_one_of(row, "excluded", ("0", "1")) == 1 for row in body]),
        vehicle=np.array([row.cells.get("vehicle", "") for row in body], dtype=object),
        note=np.array([row.cells.get("note", "") for row in body], dtype=object),
        end_ms=t_ms[-1],
    )


def _time_ms(row: Row) -> int:
    t_ms = row.integer("t_ms", -T_MAX_MS, T_MAX_MS)
    if t_ms is None:
        raise row.error("t_ms", "there is no time")
    return t_ms


def _one_of(row: Row, column: str, words: Sequence[str]) -> int:
    """Which of the words a cell holds; the first one where there is no such column."""
    word = row.cells.get(column, words[0])
    if word not in words:
        raise row.error(column, f"{shown(word)} is none of {', '.join(words)}")
    return words.index(word)
