"""What happens to the ground around a node: slow walk, magnetisation, magnets left behind. Microtesla."""

import numpy as np

from derb_tools.street.types import Floats, Range, drawn, unit_vector

REMAGNETISED_UT: Range = (6.0, 20.0)
MAGNET_UT: Range = (4.0, 40.0)
MAGNET_STAYS_S: Range = (600.0, 8 * 3600.0)
MAGNET_CARRIED_S: Range = (1.0, 4.0)


def walk_ut(rng: np.random.Generator, t_s: Floats, ut_per_root_day: float) -> Floats:
    """A random walk with the given spread after one day, drawn on a one-minute grid."""
    grid = np.arange(0.0, t_s[-1] + 120.0, 60.0)
    steps = rng.normal(0.0, ut_per_root_day * np.sqrt(60.0 / 86400.0), (len(grid), 3))
    walk = np.cumsum(steps, axis=0) - steps[0]
    return np.stack([np.interp(t_s, grid, walk[:, axis]) for axis in range(3)], axis=-1)


def remagnetised_ut(rng: np.random.Generator, t_s: Floats, per_day: float) -> Floats:
    """Steps between two samples that stay for ever (a magnet drawn over the chip or the rebar)."""
    total = np.zeros((len(t_s), 3))
    for at_s in event_times_s(rng, t_s, per_day):
        total[np.searchsorted(t_s, at_s) :] += drawn(rng, REMAGNETISED_UT) * unit_vector(rng)
    return total


def magnets_ut(rng: np.random.Generator, t_s: Floats, per_day: float) -> Floats:
    """Magnetic things put down near the node and, mostly, taken away again."""
    total = np.zeros((len(t_s), 3))
    for at_s in event_times_s(rng, t_s, per_day):
        stays = float(np.exp(rng.uniform(*np.log(MAGNET_STAYS_S))))
        until = at_s + stays if rng.random() < 0.7 else np.inf
        strength = float(np.exp(rng.uniform(*np.log(MAGNET_UT))))
        carried = drawn(rng, MAGNET_CARRIED_S)
        level = np.clip((t_s - at_s) / carried, 0.0, 1.0) - np.clip((t_s - until) / carried, 0.0, 1.0)
        total += level[:, None] * strength * unit_vector(rng)
    return total


def event_times_s(rng: np.random.Generator, t_s: Floats, per_day: float, quiet_s: float = 900.0) -> Floats:
    """About `per_day` times, at least one, none in the first `quiet_s`; none at all for 0."""
    if per_day <= 0:
        return np.empty(0)
    days = float(t_s[-1]) / 86400.0
    count = max(1, int(rng.poisson(per_day * days)))
    return np.sort(rng.uniform(min(quiet_s, t_s[-1] / 2), t_s[-1], count))
