"""A recording and its truth, and the files they become."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from derb_tools.street.types import Flags, Floats, Ints, Strings

FREE, OCCUPIED = 0, 1
STATE_NAMES = ("free", "occupied")
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
    """The CSV that `derb replay parking` reads, and the truth beside it."""
    names = ["t_ms", "x_nt", "y_nt", "z_nt", "temp_c100"]
    columns = [trace.t_ms, *trace.field_nt.T, trace.temp_c100]
    if trace.rssi_dbm is not None:
        names.append("rssi_dbm")
        columns.append(trace.rssi_dbm)
    if trace.restart is not None:
        names.append("restart")
        columns.append(trace.restart)
    rows = zip(*(map(str, column.tolist()) for column in columns), strict=True)
    path.write_text("\n".join([",".join(names), *map(",".join, rows)]) + "\n", encoding="utf-8")
    write_truth(trace.truth, truth_path(path), f"parking scenario={trace.scenario} seed={trace.seed}")


def write_truth(truth: Truth, path: Path, about: str) -> None:
    """Intervals as CSV; the first line says what the trace is, the last row ends it."""
    lines = [f"# {about}", TRUTH_HEADER]
    for t, state, excluded, vehicle, note in zip(
        truth.t_ms.tolist(), truth.state, truth.excluded, truth.vehicle, truth.note, strict=True
    ):
        lines.append(f"{t},{STATE_NAMES[state]},{int(excluded)},{vehicle},{note}")
    lines.append(f"{truth.end_ms},end,1,,")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_truth(path: Path) -> Truth:
    """The inverse of `write_truth`. Raises ValueError naming the line that is wrong."""
    rows = [row for row in path.read_text(encoding="utf-8").splitlines() if row and not row.startswith("#")]
    if not rows or rows[0] != TRUTH_HEADER:
        raise ValueError(f"{path}: not a parking truth file, its header should be {TRUTH_HEADER}")
    cells = [row.split(",") for row in rows[1:]]
    if len(cells) < 2 or any(len(row) != 5 for row in cells) or cells[-1][1] != "end":
        raise ValueError(f"{path}: a truth file needs five columns and a last row whose state is 'end'")
    *body, end = cells
    return Truth(
        t_ms=np.array([int(row[0]) for row in body], dtype=np.int64),
        state=np.array([STATE_NAMES.index(row[1]) for row in body], dtype=np.int64),
        excluded=np.array([row[2] == "1" for row in body]),
        vehicle=np.array([row[3] for row in body], dtype=object),
        note=np.array([row[4] for row in body], dtype=object),
        end_ms=int(end[0]),
    )
