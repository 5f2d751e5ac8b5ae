"""The lane beside the bay: vehicles that pass, queue or stand in the second row."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from derb_tools.street.layout import FAR_M, Layout
from derb_tools.street.motion import Path, braking, drive, pulling_away
from derb_tools.street.types import Floats, Ints, Range
from derb_tools.street.vehicles import Fleet, fleet_field_ut
from derb_tools.street.visits import Visit

# Traffic at each hour as a share of the peak.
FLOW_BY_HOUR = (
    np.array([10, 6, 4, 4, 7, 18, 42, 78, 100, 88, 76, 78, 84, 80, 74, 78, 88, 98, 100, 90, 66, 46, 30, 18])
    / 100.0
)
LANE_WANDER_M = 0.18
PASSES_AT_ONCE = 400


@dataclass(frozen=True)
class Lane:
    """What drives beside the bay."""

    peak_per_h: Range = (60.0, 200.0)
    speed_m_s: Range = (4.0, 11.0)
    queues_per_h: float = 0.0
    """Signal cycles in the peak hour that leave a queue beside the bay."""
    queue_stop_s: Range = (8.0, 70.0)
    double_parked_per_day: float = 0.0
    double_parked_s: Range = (60.0, 1200.0)


def passes_field_ut(
    rng: np.random.Generator,
    t_s: Floats,
    fleet: Fleet,
    layout: Layout,
    lane: Lane,
    peak_per_h: float,
    start_h: float,
    earth_ut: Floats,
) -> Floats:
    """Field (n, 3) of everything that drives past at a steady speed."""
    middle_s = _hourly_times_s(rng, float(t_s[-1]), peak_per_h, start_h)
    total = np.zeros((len(t_s), 3))
    for first in range(0, len(middle_s), PASSES_AT_ONCE):
        _add_passes(rng, total, t_s, fleet, layout, lane, middle_s[first : first + PASSES_AT_ONCE], earth_ut)
    return total


def queue_visits(
    rng: np.random.Generator, fleet: Fleet, layout: Layout, lane: Lane, span_s: float, start_h: float
) -> Iterator[Visit]:
    """Vehicles that stop beside the bay with others before and behind, then all move off."""
    for at_s in _hourly_times_s(rng, span_s, lane.queues_per_h, start_h):
        stop_s = float(rng.uniform(*lane.queue_stop_s))
        first, spacing = rng.uniform(-3.5, 3.5), rng.uniform(6.3, 8.0)
        for place in (-1, 0, 1):
            along = first + place * spacing
            yield _lane_visit(rng, fleet, layout, float(at_s) - 0.7 * place, stop_s, along, 0.0)


def double_parked_visits(
    rng: np.random.Generator, fleet: Fleet, layout: Layout, lane: Lane, span_s: float, start_h: float
) -> Iterator[Visit]:
    """Vehicles that stand in the second row, close to the parked ones."""
    per_peak_hour = lane.double_parked_per_day / FLOW_BY_HOUR.sum()
    closer_m = -1.2 if layout.across else -0.2
    for at_s in _hourly_times_s(rng, span_s, per_peak_hour, start_h):
        stop_s = float(np.exp(rng.uniform(*np.log(lane.double_parked_s))))
        yield _lane_visit(rng, fleet, layout, float(at_s), stop_s, rng.uniform(-3.0, 3.0), closer_m)


def _lane_visit(
    rng: np.random.Generator,
    fleet: Fleet,
    layout: Layout,
    at_s: float,
    stop_s: float,
    along_m: float,
    closer_m: float,
) -> Visit:
    beside = closer_m + LANE_WANDER_M * rng.normal()
    into = drive(_lane_path(layout, -FAR_M, along_m, beside), rng.uniform(5.0, 9.0), braking)
    out = drive(_lane_path(layout, along_m, FAR_M, beside), rng.uniform(4.0, 8.0), pulling_away)
    vehicle = int(rng.integers(len(fleet.kind)))
    return Visit(vehicle, at_s, into, at_s + into.duration_s + stop_s, out)


def _lane_path(layout: Layout, from_m: float, to_m: float, beside_m: float) -> Path:
    x, y = layout.lane_pose(np.array([from_m, to_m]), np.full(2, beside_m))
    return Path(x, y, np.full(2, layout.lane_yaw_rad()))


def _hourly_times_s(rng: np.random.Generator, span_s: float, peak_per_h: float, start_h: float) -> Floats:
    """Poisson times thinned by the hour of the day."""
    count = rng.poisson(peak_per_h * span_s / 3600.0)
    t = np.sort(rng.uniform(0.0, span_s, count))
    hour = (start_h + t / 3600.0).astype(np.int64) % 24
    kept: Floats = t[rng.random(count) < FLOW_BY_HOUR[hour]]
    return kept


def _add_passes(
    rng: np.random.Generator,
    total: Floats,
    t_s: Floats,
    fleet: Fleet,
    layout: Layout,
    lane: Lane,
    middle_s: Floats,
    earth_ut: Floats,
) -> None:
    count = len(middle_s)
    vehicle = rng.integers(len(fleet.kind), size=count)
    speed = rng.uniform(*lane.speed_m_s, size=count)
    beside = LANE_WANDER_M * rng.normal(size=count)
    half_s = (FAR_M + fleet.length_m[vehicle] / 2) / speed
    sample, owner = _samples_within(t_s, middle_s - half_s, middle_s + half_s)
    along = (t_s[sample] - middle_s[owner]) * speed[owner]
    x, y = layout.lane_pose(along, beside[owner])
    yaw = np.full(len(sample), layout.lane_yaw_rad())
    np.add.at(total, sample, fleet_field_ut(fleet, vehicle[owner], x, y, yaw, earth_ut))


def _samples_within(t_s: Floats, from_s: Floats, to_s: Floats) -> tuple[Ints, Ints]:
    """Every (sample, owner) with from_s[owner] <= t < to_s[owner], flat."""
    first, last = np.searchsorted(t_s, from_s), np.searchsorted(t_s, to_s)
    lengths = last - first
    owner = np.repeat(np.arange(len(from_s)), lengths)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return first[owner] + within, owner
