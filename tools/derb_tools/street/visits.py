"""One vehicle's stay at one place, and the field of many of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from derb_tools.street.motion import Motion
from derb_tools.street.types import Floats
from derb_tools.street.vehicles import Fleet, fleet_field_ut

COVERS_MARGIN_M = 0.5


@dataclass(frozen=True)
class Visit:
    """A vehicle comes, stands, goes; times in seconds of the trace (before 0: it was there already)."""

    vehicle: int
    enter_s: float
    enter: Motion
    leave_s: float
    leave: Motion

    @property
    def stop_s(self) -> float:
        """When it stands still where it stays."""
        return self.enter_s + self.enter.duration_s

    @property
    def end_s(self) -> float:
        """When it is far away."""
        return self.leave_s + self.leave.duration_s

    def covers_from_s(self, reach_m: float) -> float:
        """When it last came within `reach_m` of its place."""
        outside = np.flatnonzero(_distance_m(self.enter, -1) > reach_m)
        return self.enter_s + float(self.enter.t_s[outside[-1]] if len(outside) else 0.0)

    def clear_s(self, reach_m: float) -> float:
        """When it is first farther than `reach_m` from its place."""
        outside = np.flatnonzero(_distance_m(self.leave, 0) > reach_m)
        return self.leave_s + float(self.leave.t_s[outside[0]] if len(outside) else self.leave.duration_s)


def reach_m(fleet: Fleet, vehicle: int) -> float:
    """How far a vehicle's middle must be from a bay's for its body to have left the bay's middle."""
    return float(fleet.length_m[vehicle]) / 2 + COVERS_MARGIN_M


def add_visits(
    total_ut: Floats, t_s: Floats, fleet: Fleet, visits: Iterable[Visit], earth_ut: Floats
) -> None:
    """Add the field of each visit to `total_ut` (n, 3), in place."""
    for visit in visits:
        add_motion(total_ut, t_s, fleet, visit.vehicle, visit.enter_s, visit.enter, earth_ut)
        _add_standing(total_ut, t_s, fleet, visit, earth_ut)
        add_motion(total_ut, t_s, fleet, visit.vehicle, visit.leave_s, visit.leave, earth_ut)


def standing_field_ut(fleet: Fleet, visit: Visit, earth_ut: Floats) -> Floats:
    """The constant field while it stands."""
    x, y, yaw = (line[-1:] for line in (visit.enter.x_m, visit.enter.y_m, visit.enter.yaw_rad))
    field: Floats = fleet_field_ut(fleet, np.array([visit.vehicle]), x, y, yaw, earth_ut)[0]
    return field


def add_motion(
    total_ut: Floats,
    t_s: Floats,
    fleet: Fleet,
    vehicle: int,
    start_s: float,
    motion: Motion,
    earth_ut: Floats,
) -> None:
    """Add the field of one motion to `total_ut`, in place."""
    first, last = np.searchsorted(t_s, [start_s, start_s + motion.duration_s])
    if first == last:
        return
    x, y, yaw = motion.pose(t_s[first:last] - start_s)
    which = np.full(last - first, vehicle)
    total_ut[first:last] += fleet_field_ut(fleet, which, x, y, yaw, earth_ut)


def _add_standing(total_ut: Floats, t_s: Floats, fleet: Fleet, visit: Visit, earth_ut: Floats) -> None:
    first, last = np.searchsorted(t_s, [visit.stop_s, visit.leave_s])
    if first < last:
        total_ut[first:last] += standing_field_ut(fleet, visit, earth_ut)


def _distance_m(motion: Motion, end: int) -> Floats:
    distance: Floats = np.hypot(motion.x_m - motion.x_m[end], motion.y_m - motion.y_m[end])
    return distance
