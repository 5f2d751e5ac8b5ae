"""Real containers of Edinburgh as drivers of fill (origin and licence: data/README.md)."""

import csv
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

import numpy as np

from derb_tools.street.filling import (
    DAY_S,
    OVERFLOW_POINTS,
    Collection,
    Deposit,
    Filling,
    deposit_times_s,
    draw_deposit,
    mean_deposit,
)
from derb_tools.street.types import Floats


@dataclass(frozen=True)
class BinCurve:
    """One bin: when it was collected (s after the first day's midnight), fill before and after."""

    site: str
    t_s: Floats
    before_pct: Floats
    after_pct: Floats


@cache
def curves() -> tuple[BinCurve, ...]:
    """The bins shipped with the package, in order of their numbers."""
    with (files("derb_tools.street") / "data" / "edinburgh_bins.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sites = sorted({row["site"] for row in rows})
    return tuple(_curve(site, [row for row in rows if row["site"] == site]) for site in sites)


def edinburgh_filling(
    rng: np.random.Generator, curve: BinCurve, span_s: float, start_h: float, *, speed: float = 1.0,
    first_collection_s: float | None = None,
) -> Filling:  # fmt: skip
    """The bin's own rises and falls, `speed` times as fast; what lies between two collections is drawn.

    The recording starts in the first interval or, when said so, that long before a first good collection.
    """
    if first_collection_s is None:
        when = (curve.t_s - curve.t_s[0] - float(rng.uniform(60.0, 43200.0))) / speed
    else:
        when = (curve.t_s - curve.t_s[_first_good(curve)]) / speed + first_collection_s
    deposits: list[Deposit] = []
    collections: list[Collection] = []
    left, since = float(curve.after_pct[0]), float(min(0.0, when[0]))
    for at_s, before, after in zip(when[1:], curve.before_pct[1:], curve.after_pct[1:], strict=True):
        deposits += _deposits(rng, since, float(at_s), max(0.0, float(before) - left), start_h)
        left, since = min(float(after), float(before)), float(at_s)
        collections.append(Collection(float(at_s), left, False, float(before) - left))
        if at_s > span_s:
            break
    cap = float(rng.uniform(*OVERFLOW_POINTS))
    return Filling(tuple(deposits), tuple(collections), cap)


def _first_good(curve: BinCurve) -> int:
    """The first collection, not the very first, that emptied what was at least half full."""
    good = (curve.before_pct >= 50.0) & (curve.after_pct <= 20.0)
    good[0] = False
    return int(np.argmax(good))


def _deposits(
    rng: np.random.Generator, from_s: float, to_s: float, points: float, start_h: float
) -> list[Deposit]:
    """Deposits of an interval whose settled sum is what the bin's sensor saw at its end."""
    if points < 0.5 or to_s <= from_s:
        return []
    per_s = points / mean_deposit() / (to_s - from_s)
    short = to_s - from_s < DAY_S / 3
    drawn = rng.uniform(from_s, to_s, max(1, rng.poisson(per_s * (to_s - from_s))))
    times = np.sort(drawn) if short else deposit_times_s(rng, from_s, to_s, per_s, start_h)
    if not len(times):
        times = np.array([0.5 * (from_s + to_s)])
    fresh = [draw_deposit(rng, float(t)) for t in times]
    scale = points / sum(d.points_at(to_s) for d in fresh)
    return [Deposit(d.t_s, d.points * scale, d.loose, d.settling_s, d.x, d.y) for d in fresh]


def _curve(site: str, rows: list[dict[str, str]]) -> BinCurve:
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    midnight = times[0].replace(hour=0, minute=0, second=0)
    return BinCurve(
        site,
        np.array([(t - midnight).total_seconds() for t in times]),
        np.array([float(row["fill_before_pct"]) for row in rows]),
        np.array([float(row["fill_after_pct"]) for row in rows]),
    )
