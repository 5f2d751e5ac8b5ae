"""How a container fills and is emptied: deposits, settling, collections. Fill in points (percent of full)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from derb_tools.street.types import Floats, Range

HOUR_S, DAY_S = 3600.0, 86400.0
# Share of the busiest hour's deposits.
DEPOSITS_BY_HOUR = np.array(
    [25, 15, 8, 5, 5, 8, 20, 45, 60, 60, 65, 75, 95, 100, 80, 70, 75, 85, 95, 100, 95, 80, 60, 40]
) / 100.0  # fmt: skip
RATE_MEDIAN_PER_DAY = 45.0
RATE_LOG_SIGMA = 0.65
RATE_LIMITS: Range = (12.0, 150.0)
DEPOSIT_POINTS: Range = (0.3, 6.0)
OVERFLOW_POINTS: Range = (105.0, 120.0)
LOOSE_SHARE: Range = (0.05, 0.25)
SETTLING_S: Range = (1800.0, 10800.0)
ROUNDS_H = (1.5, 7.5, 13.5, 21.5)
COLLECTED_FROM: Range = (45.0, 105.0)
LEFT_AFTER: Range = (0.0, 6.0)


@dataclass(frozen=True)
class Deposit:
    """Refuse thrown in: points when fresh, a loose share that settles, where on the plan (-0.5..0.5)."""

    t_s: float
    points: float
    loose: float
    settling_s: float
    x: float
    y: float

    def points_at(self, t_s: float) -> float:
        """What is left of its height at a later time."""
        return self.points * (1.0 - self.loose * (1.0 - float(np.exp((self.t_s - t_s) / self.settling_s))))


@dataclass(frozen=True)
class Collection:
    """An emptying: `left` points remain (of what lay there, when partial, the rest of a heap)."""

    t_s: float
    left: float
    partial: bool
    fell: float


@dataclass(frozen=True)
class Filling:
    """Deposits and collections over a recording, in order of time."""

    deposits: tuple[Deposit, ...]
    collections: tuple[Collection, ...]
    cap: float

    def fill_at(self, t_s: float) -> float:
        """Mean fill in points."""
        last = self.last_collection(t_s)
        since, left = (-np.inf, 0.0) if last is None else (last.t_s, last.left)
        fallen, points, loose, settling_s = self._columns[:, self._between(since, t_s)]
        settled = 1.0 - loose * (1.0 - np.exp((fallen - t_s) / settling_s))
        return min(self.cap, left + float((points * settled).sum()))

    def last_collection(self, t_s: float) -> Collection | None:
        """The latest emptying before a time."""
        return next((c for c in reversed(self.collections) if c.t_s <= t_s), None)

    def deposits_between(self, from_s: float, to_s: float) -> Iterator[Deposit]:
        """Deposits with from_s <= t < to_s."""
        yield from self.deposits[self._between(from_s, to_s)]

    @cached_property
    def _columns(self) -> Floats:
        rows = [(d.t_s, d.points, d.loose, d.settling_s) for d in self.deposits]
        return np.array(rows, dtype=np.float64).reshape(-1, 4).T

    def _between(self, from_s: float, to_s: float) -> slice:
        first, last = np.searchsorted(self._columns[0], [from_s, to_s])
        return slice(int(first), int(last))


def draw_filling(
    rng: np.random.Generator, span_s: float, start_h: float, partial_share: float, rate_per_day: float | None
) -> Filling:
    """A compound Poisson process with the hours of the day; rounds that collect what is full enough."""
    rate = rate_per_day or float(
        np.clip(RATE_MEDIAN_PER_DAY * np.exp(RATE_LOG_SIGMA * rng.normal()), *RATE_LIMITS)
    )
    times = deposit_times_s(rng, 0.0, span_s, rate / mean_deposit() / DAY_S, start_h)
    deposits = tuple(draw_deposit(rng, t) for t in times.tolist())
    cap = float(rng.uniform(*OVERFLOW_POINTS))
    collections: list[Collection] = []
    wanted = float(rng.uniform(*COLLECTED_FROM))
    for at_s in _rounds_s(rng, span_s, start_h):
        fill = Filling(deposits, tuple(collections[-1:]), cap).fill_at(at_s)
        if fill >= min(wanted, 0.97 * cap):
            collections.append(_collection(rng, at_s, fill, partial_share))
            wanted = float(rng.uniform(*COLLECTED_FROM))
    return Filling(deposits, tuple(collections), cap)


def mean_deposit() -> float:
    """Mean points of one deposit (a log-uniform draw)."""
    low, high = DEPOSIT_POINTS
    return float((high - low) / np.log(high / low))


def deposit_times_s(
    rng: np.random.Generator, from_s: float, to_s: float, per_s: float, start_h: float
) -> Floats:
    """Poisson times with the profile of the day; `per_s` is the mean over the day."""
    peak = per_s / DEPOSITS_BY_HOUR.mean()
    t = np.sort(rng.uniform(from_s, to_s, rng.poisson(max(0.0, peak * (to_s - from_s)))))
    hour = (start_h + t / HOUR_S).astype(np.int64) % 24
    kept: Floats = t[rng.random(len(t)) < DEPOSITS_BY_HOUR[hour]]
    return kept


def draw_deposit(rng: np.random.Generator, t_s: float, points: float | None = None) -> Deposit:
    """One deposit, dropped near the middle."""
    size = float(np.exp(rng.uniform(*np.log(DEPOSIT_POINTS)))) if points is None else points
    x, y = np.clip(rng.normal(0.0, 0.2, 2), -0.45, 0.45)
    return Deposit(
        t_s, size, float(rng.uniform(*LOOSE_SHARE)), float(rng.uniform(*SETTLING_S)), float(x), float(y)
    )


def _rounds_s(rng: np.random.Generator, span_s: float, start_h: float) -> list[float]:
    days = range(int(span_s // DAY_S) + 2)
    times = [
        day * DAY_S + (hour - start_h + rng.normal(0, 0.6)) * HOUR_S for day in days for hour in ROUNDS_H
    ]
    return sorted(t for t in times if 0.0 < t < span_s)


def _collection(rng: np.random.Generator, at_s: float, fill: float, partial_share: float) -> Collection:
    partial = bool(rng.random() < partial_share)
    left = fill * float(rng.uniform(0.3, 0.65)) if partial else float(rng.uniform(*LEFT_AFTER))
    return Collection(at_s, min(left, fill), partial, fill - min(left, fill))
