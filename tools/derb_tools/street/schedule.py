"""When vehicles come to a bay and how long they stay."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from derb_tools.street.layout import Layout
from derb_tools.street.motion import Motion
from derb_tools.street.types import Floats, Range
from derb_tools.street.vehicles import CLASSES, Fleet
from derb_tools.street.visits import Visit, reach_m

# Share of bays taken at each hour of the day, 0 to 23.
OCCUPANCY_BY_HOUR = (
    np.array([55, 50, 47, 45, 45, 47, 52, 62, 75, 85, 90, 92, 90, 84, 82, 86, 88, 90, 92, 90, 84, 75, 68, 60])
    / 100.0
)
WEIBULL_SHAPE = 0.85
GAP_MIN_S = 25.0
GAP_MAX_S = 5 * 3600.0
LONG_AGO_S = -3600.0


@dataclass(frozen=True)
class Habit:
    """How a bay is used: shares and median dwells (s); gaps follow from the hourly occupancy."""

    dwell: tuple[tuple[float, float], ...] = ((0.25, 300.0), (0.55, 2700.0), (0.20, 23400.0))
    dwell_s: Range = (45.0, 12 * 3600.0)
    swap_chance: float = 0.02
    first_gap_s: Range = (900.0, 3600.0)
    occupied_at_start: bool = False
    gap_s: Range | None = None
    """Even gaps instead of the hourly occupancy (a demonstration, a test)."""

    def mean_dwell_s(self) -> float:
        """Mean of the mixture (a Weibull's mean is about 1.6 medians at this shape)."""
        return sum(share * median for share, median in self.dwell) / sum(s for s, _ in self.dwell) * 1.6


ORDINARY = Habit()
BRIEF = Habit(dwell=((0.6, 55.0), (0.3, 900.0), (0.1, 7200.0)), dwell_s=(20.0, 12 * 3600.0))
LONG = Habit(dwell=((0.15, 1800.0), (0.85, 43200.0)), dwell_s=(300.0, 40 * 3600.0))
SWAPS = Habit(swap_chance=0.6)


def occupied_at_start(habit: Habit) -> Habit:
    """The same habit with a vehicle standing in the bay when the node is installed."""
    return replace(habit, occupied_at_start=True)


def bay_visits(
    rng: np.random.Generator,
    layout: Layout,
    fleet: Fleet,
    habit: Habit,
    span_s: float,
    start_h: float,
    bay: int = 0,
) -> Iterator[Visit]:
    """The visits to one bay, in order, over `span_s` seconds from `start_h` o'clock."""
    clock = LONG_AGO_S if habit.occupied_at_start else _first_gap_s(rng, habit, bay)
    while clock < span_s:
        vehicle = int(rng.integers(len(fleet.kind)))
        enter = layout.arrival(rng, *_stop_place_m(rng, layout, fleet, vehicle, bay))
        leave_s = clock + enter.duration_s + _dwell_s(rng, habit)
        if clock < 0:
            leave_s = max(leave_s, float(rng.uniform(*habit.first_gap_s)))
        visit = Visit(vehicle, clock, enter, leave_s, _departure(rng, layout, enter))
        yield visit
        clock = _next_start_s(rng, habit, visit, fleet, start_h)


def _first_gap_s(rng: np.random.Generator, habit: Habit, bay: int) -> float:
    """The node's own bay is empty at first; a neighbour's may be anything."""
    if bay == 0:
        return float(rng.uniform(*habit.first_gap_s))
    return LONG_AGO_S if rng.random() < 0.6 else float(rng.uniform(*habit.first_gap_s))


def _next_start_s(
    rng: np.random.Generator, habit: Habit, visit: Visit, fleet: Fleet, start_h: float
) -> float:
    if rng.random() < habit.swap_chance:
        return visit.clear_s(reach_m(fleet, visit.vehicle)) + float(rng.uniform(0.0, 8.0))
    if habit.gap_s is not None:
        return visit.end_s + float(rng.uniform(*habit.gap_s))
    taken = OCCUPANCY_BY_HOUR[int(start_h + visit.end_s / 3600.0) % 24]
    gap = rng.exponential(habit.mean_dwell_s() * (1.0 - taken) / taken)
    return visit.end_s + float(np.clip(gap, GAP_MIN_S, GAP_MAX_S))


def _dwell_s(rng: np.random.Generator, habit: Habit) -> float:
    shares = np.array([share for share, _ in habit.dwell])
    median = habit.dwell[int(rng.choice(len(shares), p=shares / shares.sum()))][1]
    scale = median / np.log(2.0) ** (1.0 / WEIBULL_SHAPE)
    return float(np.clip(scale * rng.weibull(WEIBULL_SHAPE), *habit.dwell_s))


def _stop_place_m(
    rng: np.random.Generator, layout: Layout, fleet: Fleet, vehicle: int, bay: int
) -> tuple[float, float]:
    along, across = CLASSES[fleet.kind_name(vehicle)].scatter_m
    x, y = layout.bay_offset_m(bay)
    return x + along * rng.normal(), y + across * rng.normal()


def _departure(rng: np.random.Generator, layout: Layout, enter: Motion) -> Motion:
    place: tuple[Floats, ...] = (enter.x_m[-1], enter.y_m[-1], enter.yaw_rad[-1])
    return layout.departure(rng, *(float(value) for value in place))
