"""What goes wrong in the node: stuck and saturated readings, lost samples, restarts."""

from dataclasses import dataclass

import numpy as np

from derb_tools.street.site import event_times_s
from derb_tools.street.types import Flags, Floats, Ints, Range, Strings

STUCK_S: Range = (300.0, 3600.0)
SATURATED_S: Range = (60.0, 1800.0)
LOST_RUN_S: Range = (20.0, 900.0)


@dataclass(frozen=True)
class Faults:
    """How often, a day; `loss` is the share of single samples that never arrive."""

    loss: float = 0.0
    lost_runs_per_day: float = 0.0
    cold_restarts_per_day: float = 0.0
    warm_restarts_per_day: float = 0.0
    stuck_per_day: float = 0.0
    saturated_per_day: float = 0.0


@dataclass(frozen=True)
class FaultInterval:
    """A time in which readings say nothing about the field."""

    from_s: float
    until_s: float
    what: str


def spoil(
    rng: np.random.Generator, t_s: Floats, field_nt: Ints, faults: Faults, full_scale_nt: int
) -> list[FaultInterval]:
    """Write stuck and saturated readings into `field_nt`; returns when."""
    intervals = []
    for at_s in event_times_s(rng, t_s, faults.stuck_per_day):
        interval = FaultInterval(float(at_s), float(at_s + rng.uniform(*STUCK_S)), "stuck")
        first, last = np.searchsorted(t_s, [interval.from_s, interval.until_s])
        field_nt[first:last] = field_nt[first : first + 1]
        intervals.append(interval)
    for at_s in event_times_s(rng, t_s, faults.saturated_per_day):
        interval = FaultInterval(float(at_s), float(at_s + rng.uniform(*SATURATED_S)), "saturated")
        first, last = np.searchsorted(t_s, [interval.from_s, interval.until_s])
        axis = int(rng.integers(3))
        field_nt[first:last, axis] = full_scale_nt * int(rng.choice([-1, 1]))
        intervals.append(interval)
    return intervals


def kept_samples(rng: np.random.Generator, t_s: Floats, faults: Faults) -> Flags:
    """Which samples arrive."""
    kept = rng.random(len(t_s)) >= faults.loss
    for at_s in event_times_s(rng, t_s, faults.lost_runs_per_day):
        first, last = np.searchsorted(t_s, [at_s, at_s + rng.uniform(*LOST_RUN_S)])
        kept[first:last] = False
    kept[0] = True
    return kept


def restarts(rng: np.random.Generator, t_s: Floats, faults: Faults) -> Strings | None:
    """The restart column: "cold" or "warm" before a sample, else empty; None when there are none."""
    if faults.cold_restarts_per_day <= 0 and faults.warm_restarts_per_day <= 0:
        return None
    column = np.full(len(t_s), "", dtype=object)
    for kind, per_day in (("warm", faults.warm_restarts_per_day), ("cold", faults.cold_restarts_per_day)):
        for at_s in event_times_s(rng, t_s, per_day):
            column[min(int(np.searchsorted(t_s, at_s)), len(t_s) - 1)] = kind
    return column
