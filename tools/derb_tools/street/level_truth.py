"""What was so in a container at each reading, and its file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from derb_tools.street.types import Floats, Ints, Strings

MARK = "# level "
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
    """Whether a truth file is a level recording's. Raises OSError."""
    with path.open(encoding="utf-8") as file:
        return file.readline().startswith(MARK)


def write_level_truth(truth: LevelTruth, path: Path, about: str) -> None:
    """The first line says which container it is."""
    lines = [f"{MARK}empty_mm={truth.empty_mm} full_mm={truth.full_mm} {about}", HEADER]
    columns = (
        truth.t_ms,
        [f"{value:.1f}" for value in truth.surface_mm],
        [f"{value:.2f}" for value in truth.fill_pct],
        truth.collected,
        [f"{value:.1f}" for value in truth.fell_pct],
        truth.fault,
        truth.accepted,
    )
    lines += [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_level_truth(path: Path) -> LevelTruth:
    """The inverse of `write_level_truth`. Raises ValueError saying what is wrong."""
    first, *rows = path.read_text(encoding="utf-8").splitlines()
    about = dict(word.split("=", 1) for word in first.removeprefix(MARK).split() if "=" in word)
    if not {"empty_mm", "full_mm"} <= about.keys() or not rows or rows[0] != HEADER:
        raise ValueError(f"{path}: not a level truth file, its columns should be {HEADER}")
    cells = [row.split(",") for row in rows[1:]]
    if not cells or any(len(row) != len(HEADER.split(",")) for row in cells):
        raise ValueError(f"{path}: a level truth file needs rows of {HEADER}")
    t_ms, surface, fill, collected, fell, fault, accepted = zip(*cells, strict=True)
    return LevelTruth(
        np.array(t_ms, dtype=np.int64), np.array(surface, dtype=np.float64), np.array(fill, dtype=np.float64),
        np.array(collected, dtype=object), np.array(fell, dtype=np.float64), np.array(fault, dtype=object),
        np.array(accepted, dtype=object), int(about["empty_mm"]), int(about["full_mm"]),
    )  # fmt: skip
