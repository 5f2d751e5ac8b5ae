"""How well level sensing followed the truth of a container."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from derb_tools.errors import RecordingError
from derb_tools.street.answers import Answer
from derb_tools.street.level_truth import LevelTruth
from derb_tools.street.types import Flags, Floats, Ints

RIGHT_DISTANCE_SHARE = 0.05
"""An `ok` that must be right: off by no more than this share of the empty distance."""
FULL_PCT, NOT_FULL_PCT = 95.0, 75.0
FELL_POINTS = 20.0
"""A fall between two good readings that counts as a collection where the detector names none."""
COLLECTION_WORTH_POINTS = 15.0
COLLECTION_WITHIN_READINGS = 3
TABLE_KNOTS = 11
TABLE_BENDS, TABLE_RISES = 3.0, 2.0
"""How firmly a table is held to a straight line, and to rising as the level does, where little was seen."""
YEAR_MS = 365.25 * 86400e3


@dataclass(frozen=True)
class LevelFigures:
    """Distances are judged where `ok` is the only right status and was told; depth is the empty distance."""

    readings: int
    ok_pct: float
    mae_pct_of_depth: float | None
    p95_pct_of_depth: float | None
    fill_rms_pct: float | None
    fill_rms_with_table_pct: float | None
    collections: int
    collection_f1: float | None
    collections_found: int
    collections_missed: int
    collections_wrong: int
    false_fulls: int
    false_fulls_per_year: float
    normal_status_pct: float | None
    fault_status_pct: dict[str, float]
    bad_levels_in_faults: int


@dataclass(frozen=True)
class _Said:
    """The answers in the order of the truth's rows; NaN where there is no number."""

    status: list[str]
    distance_mm: Floats
    level_pct: Floats
    collected: Flags | None


def score_level(truth: LevelTruth, answers: Sequence[Answer]) -> LevelFigures:
    """Figures for one recording. Raises RecordingError when the answers are not one a reading."""
    said = _said(truth, answers)
    ok = np.array([status == "ok" for status in said.status])
    judged = ok & (truth.fault == "") & (truth.accepted == "ok") & ~np.isnan(said.distance_mm)
    error = np.abs(said.distance_mm - truth.surface_mm) / truth.empty_mm * 100.0
    right = _right(truth, said, error)
    fulls = _false_fulls(truth, said)
    counts = _collection_counts(truth, _found_collections(said))
    return LevelFigures(
        readings=len(truth.t_ms),
        ok_pct=100.0 * float(ok.mean()),
        mae_pct_of_depth=float(error[judged].mean()) if judged.any() else None,
        p95_pct_of_depth=float(np.percentile(error[judged], 95)) if judged.any() else None,
        fill_rms_pct=_rms(said.level_pct[judged], truth.fill_pct[judged]),
        fill_rms_with_table_pct=_rms_with_table(said.level_pct[judged], truth.fill_pct[judged]),
        collections=int((truth.fell_pct >= COLLECTION_WORTH_POINTS).sum()),
        collection_f1=_f1(*counts),
        collections_found=counts[0],
        collections_missed=counts[1],
        collections_wrong=counts[2],
        false_fulls=fulls,
        false_fulls_per_year=fulls * YEAR_MS / max(1.0, float(truth.t_ms[-1] - truth.t_ms[0])),
        normal_status_pct=_percent(right[truth.fault == ""]),
        fault_status_pct=_by_fault(truth, right),
        bad_levels_in_faults=int((ok & (truth.fault != "") & ~right).sum()),
    )


def _said(truth: LevelTruth, answers: Sequence[Answer]) -> _Said:
    by_time = {answer["t_ms"]: answer for answer in answers}
    if len(by_time) != len(truth.t_ms) or any(t not in by_time for t in truth.t_ms.tolist()):
        raise RecordingError(
            f"{len(by_time)} answers for {len(truth.t_ms)} readings: these are not of one recording, or not of all its rows"
        )
    ordered = [by_time[t] for t in truth.t_ms.tolist()]
    named = any("collected" in answer for answer in ordered)
    return _Said(
        status=[str(answer.get("status")) for answer in ordered],
        distance_mm=_numbers(answer.get("distance_mm") for answer in ordered),
        level_pct=_numbers(answer.get("level_pct") for answer in ordered),
        collected=np.array([bool(answer.get("collected")) for answer in ordered]) if named else None,
    )


def _numbers(values: Iterable[Any]) -> Floats:
    return np.array([np.nan if value is None else float(value) for value in values])


def _right(truth: LevelTruth, said: _Said, error_pct: Floats) -> Flags:
    """Whether each status is one of the accepted; `ok` needs the right distance too, except in good times."""
    accepted = [
        status in allowed.split("|") for status, allowed in zip(said.status, truth.accepted, strict=True)
    ]
    close = error_pct <= 100.0 * RIGHT_DISTANCE_SHARE
    wrong_ok = np.array([status == "ok" for status in said.status]) & ~close & (truth.accepted != "ok")
    right: Flags = np.array(accepted) & ~wrong_ok
    return right


def _false_fulls(truth: LevelTruth, said: _Said) -> int:
    """Runs of readings that call a container full, by level or as too close, that is not, faults apart."""
    depth = truth.empty_mm - truth.full_mm
    surface_pct = (truth.empty_mm - truth.surface_mm) / depth * 100.0
    too_close = np.array([status == "too_close" for status in said.status])
    called = too_close | (np.nan_to_num(said.level_pct, nan=0.0) >= FULL_PCT)
    false = called & (surface_pct < NOT_FULL_PCT) & (truth.fault == "")
    return int((np.diff(false.astype(np.int64), prepend=0) == 1).sum())


def _found_collections(said: _Said) -> list[int]:
    if said.collected is not None:
        return [int(index) for index in np.flatnonzero(said.collected)]
    good = np.flatnonzero(~np.isnan(said.level_pct))
    falls = -np.diff(said.level_pct[good])
    return [int(index) for index in good[1:][falls >= FELL_POINTS]]


def _collection_counts(truth: LevelTruth, found: Sequence[int]) -> tuple[int, int, int]:
    """(found, missed, wrong): one found for each true one, its latest, within a few readings.

    Those that took next to nothing may be missed.
    """
    true = [int(index) for index in np.flatnonzero(truth.collected != "")]
    visible = np.cumsum(truth.fault == "")
    matched: set[int] = set()
    wrong = 0
    for f in found:
        fits = [index for index in true if index <= f and index not in matched and _soon(visible, index, f)]
        matched.update(fits[-1:])
        wrong += not fits
    worth = {index for index in true if truth.fell_pct[index] >= COLLECTION_WORTH_POINTS}
    missed = sum(not _hidden(truth, index) for index in worth - matched)
    return len(worth & matched), missed, wrong


def _f1(hits: int, missed: int, wrong: int) -> float | None:
    total = 2 * hits + missed + wrong
    return 2 * hits / total if total else None


def _soon(visible: Ints, index: int, found: int) -> bool:
    """Whether an answer came within a few readings, those under a fault not counted: nobody could see it then."""
    seen_before = int(visible[index - 1]) if index else 0
    seen = int(visible[found]) - seen_before
    return seen <= COLLECTION_WITHIN_READINGS or found < index + COLLECTION_WITHIN_READINGS


def _hidden(truth: LevelTruth, index: int) -> bool:
    """Whether no two readings show it: a fault lay over it, or it filled up again before the next one."""
    free = np.flatnonzero(truth.fault == "")
    before, after = free[free < index], free[free >= index]
    if not len(before) or not len(after) or (truth.collected[index + 1 : after[0] + 1] != "").any():
        return True  # of two between the same readings the later one stands for both
    full_pct = 100.0
    fell = min(full_pct, truth.fill_pct[before[-1]]) - min(full_pct, truth.fill_pct[after[0]])
    return bool(fell < COLLECTION_WORTH_POINTS)


def _by_fault(truth: LevelTruth, right: Flags) -> dict[str, float]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for fault, was_right in zip(truth.fault, right.tolist(), strict=True):
        if fault:
            groups[str(fault)].append(was_right)
    return {name: round(100.0 * sum(group) / len(group), 3) for name, group in sorted(groups.items())}


def _percent(flags: Flags) -> float | None:
    return 100.0 * float(flags.mean()) if len(flags) else None


def _rms(level_pct: Floats, fill_pct: Floats) -> float | None:
    return float(np.sqrt(np.mean((level_pct - fill_pct) ** 2))) if len(level_pct) else None


def _rms_with_table(level_pct: Floats, fill_pct: Floats) -> float | None:
    """With a container's own table from level to fill, learnt on the first half, judged on the second."""
    half = len(level_pct) // 2
    if half < 10 * TABLE_KNOTS:
        return None
    knots = np.linspace(0.0, 100.0, TABLE_KNOTS)
    units = np.eye(TABLE_KNOTS)
    weights = np.array([np.interp(level_pct, knots, unit) for unit in units]).T
    straight, rising = TABLE_BENDS * np.diff(units, n=2, axis=0), TABLE_RISES * np.diff(units, axis=0)
    learnt = np.vstack([weights[:half], straight, rising])
    wanted = np.concatenate([fill_pct[:half], np.zeros(len(straight)), TABLE_RISES * np.diff(knots)])
    table = np.linalg.lstsq(learnt, wanted, rcond=None)[0]
    return _rms(weights[half:] @ table, fill_pct[half:])
