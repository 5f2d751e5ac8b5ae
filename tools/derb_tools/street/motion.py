"""How vehicles come and go: paths in the bay frame and speed along them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from derb_tools.street.types import Floats, Range

KNOT_S = 0.1
ARRIVAL_S: Range = (8.0, 30.0)
ARRIVAL_MEDIAN_S = 15.0
DEPARTURE_S: Range = (5.0, 20.0)
DEPARTURE_MEDIAN_S = 10.0


@dataclass(frozen=True)
class Path:
    """A line on the ground with the vehicle's yaw at each point."""

    x_m: Floats
    y_m: Floats
    yaw_rad: Floats

    def length_along_m(self) -> Floats:
        """Distance driven at each point."""
        step = np.hypot(np.diff(self.x_m), np.diff(self.y_m))
        return np.concatenate([[0.0], np.cumsum(step)])

    def reversed(self) -> "Path":
        """The same line driven from its end."""
        return Path(self.x_m[::-1], self.y_m[::-1], self.yaw_rad[::-1])


@dataclass(frozen=True)
class Motion:
    """A pose for each instant, from 0 to `duration_s`."""

    t_s: Floats
    x_m: Floats
    y_m: Floats
    yaw_rad: Floats

    @property
    def duration_s(self) -> float:
        """From the first movement to the last."""
        return float(self.t_s[-1])

    def pose(self, t_s: Floats) -> tuple[Floats, Floats, Floats]:
        """x, y, yaw at times counted from the start of the motion."""
        return (
            np.interp(t_s, self.t_s, self.x_m),
            np.interp(t_s, self.t_s, self.y_m),
            np.interp(t_s, self.t_s, self.yaw_rad),
        )

    def shifted(self, dx_m: float, dy_m: float) -> "Motion":
        """The same motion elsewhere."""
        return Motion(self.t_s, self.x_m + dx_m, self.y_m + dy_m, self.yaw_rad)

    def then(self, other: "Motion") -> "Motion":
        """This motion followed at once by another."""
        return Motion(
            np.concatenate([self.t_s, other.t_s + self.t_s[-1] + 1e-6]),
            np.concatenate([self.x_m, other.x_m]),
            np.concatenate([self.y_m, other.y_m]),
            np.concatenate([self.yaw_rad, other.yaw_rad]),
        )


Profile = Callable[[Floats], Floats]


def braking(u: Floats) -> Floats:
    """Share of the way after share `u` of the time, decelerating evenly to a stop."""
    return 1.0 - (1.0 - u) ** 2


def pulling_away(u: Floats) -> Floats:
    """Accelerating evenly from rest."""
    return u**2


def stop_to_stop(u: Floats) -> Floats:
    """From rest to rest."""
    return u * u * (3.0 - 2.0 * u)


def drive(path: Path, duration_s: float, profile: Profile) -> Motion:
    """A path driven in a given time."""
    t = np.arange(0.0, duration_s + KNOT_S, KNOT_S)
    along = path.length_along_m()
    s = profile(np.minimum(t / duration_s, 1.0)) * along[-1]
    x, y, yaw = (np.interp(s, along, line) for line in (path.x_m, path.y_m, path.yaw_rad))
    return Motion(t, x, y, yaw)


def wait(path_end: Motion, duration_s: float) -> Motion:
    """Standing where a motion ended."""
    t = np.array([0.0, duration_s])
    return Motion(t, *(np.repeat(line[-1], 2) for line in (path_end.x_m, path_end.y_m, path_end.yaw_rad)))


def manoeuvre_s(rng: np.random.Generator, median_s: float, between_s: Range) -> float:
    """A log-normal duration within its limits."""
    return float(np.clip(median_s * np.exp(0.4 * rng.normal()), *between_s))


def shunt(rng: np.random.Generator, after: Motion) -> Motion:
    """A correction of half a metre, there and back to where the driver wanted to be."""
    yaw, reach = after.yaw_rad[-1], rng.uniform(0.3, 0.8) * rng.choice([-1.0, 1.0])
    back = Path(
        np.array([after.x_m[-1], after.x_m[-1] + reach * np.cos(yaw)]),
        np.array([after.y_m[-1], after.y_m[-1] + reach * np.sin(yaw)]),
        np.array([yaw, yaw]),
    )
    out = drive(back, rng.uniform(2.0, 4.0), stop_to_stop)
    home = drive(back.reversed(), rng.uniform(2.0, 4.0), stop_to_stop)
    return wait(after, rng.uniform(0.5, 3.0)).then(out).then(home)


def join(paths: Sequence[Path]) -> Path:
    """Paths end to end."""
    return Path(
        np.concatenate([p.x_m for p in paths]),
        np.concatenate([p.y_m for p in paths]),
        np.concatenate([p.yaw_rad for p in paths]),
    )
