"""A parking recording read back from its CSV, whole, for the references."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from derb_tools.street.trace import Trace, Truth
from derb_tools.street.types import Ints


def read_trace(path: Path, truth: Truth) -> Trace:
    """The inverse of `write_trace`. Raises ValueError if a column is missing or a cell is no number."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        columns: dict[str, Sequence[str]] = dict(zip(header, zip(*reader, strict=True), strict=False))
    missing = [n for n in ("t_ms", "x_nt", "y_nt", "z_nt", "temp_c100") if n not in columns]
    if missing:
        raise ValueError(f"{path}: no samples in column {', '.join(missing)}")
    restart = columns.get("restart")
    return Trace(
        scenario=path.stem,
        seed=0,
        t_ms=_whole(columns["t_ms"]),
        field_nt=np.stack([_whole(columns[name]) for name in ("x_nt", "y_nt", "z_nt")], axis=-1),
        temp_c100=_whole(columns["temp_c100"]),
        rssi_dbm=_whole(columns["rssi_dbm"]) if "rssi_dbm" in columns else None,
        restart=None if restart is None else np.array(restart, dtype=object),
        truth=truth,
    )


def _whole(cells: Sequence[str]) -> Ints:
    return np.rint(np.array(cells, dtype=np.float64)).astype(np.int64)
