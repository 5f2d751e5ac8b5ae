"""Temperature of a node on the asphalt, and of the battery that pulls its field along."""

from dataclasses import dataclass

import numpy as np

from derb_tools.street.types import Flags, Floats, Range, drawn

STEP_S = 60.0
ASPHALT_LAG_S = 35 * 60.0
BATTERY_LAG_S = 25 * 60.0
SHADE_UNDER_CAR = 0.15
"""Share of the sun's heat that reaches a node under a vehicle."""


@dataclass(frozen=True)
class Weather:
    """Air and sun of a day, degrees; a front lets the air fall once a day."""

    mean_c: Range = (12.0, 20.0)
    air_swing_c: Range = (3.0, 5.0)
    sun_c: Range = (3.0, 9.0)
    front_c: Range = (0.0, 0.0)
    front_s: Range = (3600.0, 10800.0)


@dataclass(frozen=True)
class Temperatures:
    """Chip and battery on a one-minute grid from the start of the trace."""

    grid_s: Floats
    chip_c: Floats
    battery_c: Floats

    def chip_at(self, t_s: Floats) -> Floats:
        """Chip temperature at some times."""
        return np.interp(t_s, self.grid_s, self.chip_c)

    def battery_at(self, t_s: Floats) -> Floats:
        """Battery temperature at some times."""
        return np.interp(t_s, self.grid_s, self.battery_c)


def minute_grid_s(span_s: float) -> Floats:
    """The grid on which temperatures are computed."""
    return np.arange(0.0, span_s + 2 * STEP_S, STEP_S)


def temperatures(
    rng: np.random.Generator, weather: Weather, grid_s: Floats, shaded: Flags, start_h: float
) -> Temperatures:
    """Chip follows air and sunlit asphalt, the battery follows the chip; `shaded` is under a vehicle."""
    hour = start_h + grid_s / 3600.0
    air = drawn(rng, weather.mean_c) + drawn(rng, weather.air_swing_c) * np.cos((hour - 15.0) * np.pi / 12.0)
    air += _fronts_c(rng, weather, grid_s)
    sun = np.maximum(0.0, np.cos((hour - 13.0) * np.pi / 12.0)) * _clear_sky(rng, len(grid_s))
    heat = drawn(rng, weather.sun_c) * sun * np.where(shaded, SHADE_UNDER_CAR, 1.0)
    chip = _lagged(air + heat, ASPHALT_LAG_S)
    return Temperatures(grid_s, chip, _lagged(chip, BATTERY_LAG_S))


def _clear_sky(rng: np.random.Generator, minutes: int) -> Floats:
    """Share of the sun that passes the clouds, changing within half an hour."""
    knots = np.clip(rng.normal(0.8, 0.25, size=minutes // 25 + 3), 0.15, 1.0)
    return np.interp(np.arange(minutes) / 25.0, np.arange(len(knots)), knots)


def _fronts_c(rng: np.random.Generator, weather: Weather, grid_s: Floats) -> Floats:
    """One fall a day, recovered overnight."""
    total = np.zeros_like(grid_s)
    for day in range(int(grid_s[-1] // 86400) + 1):
        depth, length = drawn(rng, weather.front_c), drawn(rng, weather.front_s)
        begin = day * 86400 + rng.uniform(2 * 3600, 9 * 3600)
        times = np.array([begin, begin + length, begin + length + 6 * 3600, begin + length + 12 * 3600])
        total += np.interp(grid_s, times, [0.0, -depth, -depth, 0.0])
    return total


def _lagged(drive_c: Floats, lag_s: float) -> Floats:
    """First-order lag, started in balance."""
    share = 1.0 - np.exp(-STEP_S / lag_s)
    out = np.empty_like(drive_c)
    value = float(drive_c[0])
    for index, target in enumerate(drive_c.tolist()):
        value += share * (target - value)
        out[index] = value
    return out
