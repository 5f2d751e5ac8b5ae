"""Bays across or along the kerb: where vehicles stand, and the ways in and out."""

from dataclasses import dataclass

import numpy as np

from derb_tools.street.motion import (
    ARRIVAL_MEDIAN_S,
    ARRIVAL_S,
    DEPARTURE_MEDIAN_S,
    DEPARTURE_S,
    Motion,
    Path,
    braking,
    drive,
    join,
    manoeuvre_s,
    pulling_away,
    shunt,
    stop_to_stop,
)
from derb_tools.street.types import Floats

TURN_RADIUS_M = 3.4
SHUNT_CHANCE = 0.25
FAR_M = 16.0
APPROACH_M = 9.0
"""Beyond this a vehicle's field is below 0.05 uT, even a bus's."""


@dataclass(frozen=True)
class Layout:
    """A row of bays: `pitch_m` between neighbours, the lane's middle at `lane_m` from the sensor.

    Across the kerb the lane runs along y at x = lane_m; along the kerb it runs along x at y = lane_m.
    """

    across: bool
    pitch_m: float
    lane_m: float

    def bay_offset_m(self, number: int) -> tuple[float, float]:
        """The middle of the bay `number` places away."""
        return (0.0, number * self.pitch_m) if self.across else (number * self.pitch_m, 0.0)

    def lane_pose(self, along_m: Floats, lane_offset_m: Floats) -> tuple[Floats, Floats]:
        """x, y of a vehicle in the lane."""
        beside = self.lane_m + lane_offset_m
        return (beside, along_m) if self.across else (along_m, beside)

    def lane_yaw_rad(self) -> float:
        """Yaw of traffic in the lane."""
        return np.pi / 2 if self.across else 0.0

    def arrival(self, rng: np.random.Generator, x_m: float, y_m: float) -> Motion:
        """From the lane to a stop at (x, y), perhaps with a correction."""
        duration = manoeuvre_s(rng, ARRIVAL_MEDIAN_S, ARRIVAL_S)
        into = self._arrival_across if self.across else self._arrival_along
        motion = into(rng, duration).shifted(x_m, y_m)
        if rng.random() < SHUNT_CHANCE:
            return motion.then(shunt(rng, motion))
        return motion

    def departure(self, rng: np.random.Generator, x_m: float, y_m: float, yaw_rad: float) -> Motion:
        """From rest at (x, y) out into the lane and away."""
        duration = manoeuvre_s(rng, DEPARTURE_MEDIAN_S, DEPARTURE_S)
        if self.across:
            way = _curve_across(self.lane_m, rng.choice([-1.0, 1.0]), facing_out=np.cos(yaw_rad) > 0)
            out = drive(way.reversed(), duration, pulling_away)
        else:
            way = join([_swerve(7.0, self.lane_m), _straight(7.0, APPROACH_M, self.lane_m)])
            out = drive(way, duration, pulling_away)
        return out.shifted(x_m, y_m)

    def drive_over(self, rng: np.random.Generator) -> Motion:
        """Straight through an empty bay along its axis without stopping."""
        side = rng.normal(0.0, 0.3)
        direction = rng.choice([-1.0, 1.0])
        yaw = 0.0 if direction > 0 else np.pi
        path = Path(direction * np.array([-FAR_M, FAR_M]), np.full(2, side), np.full(2, yaw))
        return drive(path, 2 * FAR_M / rng.uniform(1.5, 5.0), lambda u: u)

    def _arrival_across(self, rng: np.random.Generator, duration_s: float) -> Motion:
        way = _curve_across(self.lane_m, rng.choice([-1.0, 1.0]), facing_out=rng.random() < 0.3)
        return drive(way, duration_s, braking)

    def _arrival_along(self, rng: np.random.Generator, duration_s: float) -> Motion:
        if rng.random() < 0.4:
            nose_in = join([_straight(-APPROACH_M, -7.0, self.lane_m), _mirrored(_swerve(7.0, self.lane_m))])
            return drive(nose_in, duration_s, braking)
        pull_up = drive(_straight(-APPROACH_M, 5.6, self.lane_m), 0.4 * duration_s, braking)
        back_in = drive(_swerve(5.6, self.lane_m).reversed(), 0.6 * duration_s, stop_to_stop)
        return pull_up.then(back_in)


def _straight(from_m: float, to_m: float, beside_m: float) -> Path:
    x = np.linspace(from_m, to_m, 12)
    return Path(x, np.full_like(x, beside_m), np.zeros_like(x))


def _swerve(to_m: float, beside_m: float) -> Path:
    """From the kerb at the origin to the lane at x = `to_m`, a cosine S."""
    u = np.linspace(0.0, 1.0, 30)
    slope = beside_m * 0.5 * np.pi * np.sin(np.pi * u) / to_m
    return Path(u * to_m, beside_m * 0.5 * (1.0 - np.cos(np.pi * u)), np.arctan(slope))


def _mirrored(path: Path) -> Path:
    """A way out, turned into the way in that comes from the other side, nose first."""
    return Path(-path.x_m[::-1], path.y_m[::-1], -path.yaw_rad[::-1])


def _curve_across(lane_m: float, side: float, facing_out: bool) -> Path:
    """Along the lane from one side, a quarter turn, straight into the bay."""
    radius = min(TURN_RADIUS_M, lane_m - 0.8)
    y = np.linspace(side * APPROACH_M, side * radius, 12)
    lane = Path(np.full_like(y, lane_m), y, np.full_like(y, -side * np.pi / 2))
    angle = np.linspace(0.0, np.pi / 2, 20)
    turn = Path(
        lane_m - radius + radius * np.cos(angle),
        side * radius * (1.0 - np.sin(angle)),
        -side * (np.pi / 2 + angle),
    )
    x = np.linspace(lane_m - radius, 0.0, 10)
    straight = Path(x, np.zeros_like(x), np.full_like(x, -side * np.pi))
    nose_in = join([lane, turn, straight])
    return Path(nose_in.x_m, nose_in.y_m, nose_in.yaw_rad + (np.pi if facing_out else 0.0))
