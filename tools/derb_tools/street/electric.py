"""Fields of the city's currents: trams, buried cables, the metro, chargers. Microtesla, bay frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from derb_tools.street.metro import NoiseSegment
from derb_tools.street.types import Floats, Range, drawn, unit_vector
from derb_tools.street.visits import Visit

WIRE_HEIGHT_M = 6.0
TRAM_PEAK_A: Range = (1200.0, 1900.0)
TRAM_REGENERATION = 0.5
TRAM_HEADWAY_S: Range = (240.0, 480.0)
SERVICE_H: Range = (5.5, 23.5)
GRID_HZ = 50.0


@dataclass(frozen=True)
class Cable:
    """A mains cable under the kerb: peak field at the evening's load."""

    peak_ut: Range = (0.8, 3.0)


@dataclass(frozen=True)
class Charger:
    """Cars that charge: the direct field of the leads, contactor steps and ripple."""

    field_ut: Range = (0.5, 3.0)
    steps_per_session: Range = (10.0, 60.0)
    share_of_stays: float = 0.7


@dataclass(frozen=True)
class Metro:
    """Real disturbance of a DC metro laid over the bay."""

    scale: float
    pause_s: Range = (0.0, 90.0)


def tram_loop_ut(current_a: float, distance_m: float, leakage: float) -> float:
    """Loop of wire and rails plus leakage: 0.2 I h / (D sqrt(D^2 + h^2)) + 0.2 e I / D."""
    height = WIRE_HEIGHT_M
    loop = 0.2 * current_a * height / (distance_m * np.hypot(distance_m, height))
    return float(loop + 0.2 * leakage * current_a / distance_m)


def tram_field_ut(rng: np.random.Generator, t_s: Floats, distance_m: float, start_h: float) -> Floats:
    """Trams both ways past a stop near the bay; the direction of the field is the site's."""
    grid = np.arange(0.0, t_s[-1] + 2.0)
    current = np.zeros_like(grid)
    for _ in range(2):
        for at_s in _service_times_s(rng, grid[-1], TRAM_HEADWAY_S, start_h):
            _add_tram(rng, current, at_s)
    per_ampere = tram_loop_ut(1.0, distance_m, rng.uniform(0.02, 0.10))
    return np.interp(t_s, grid, current)[:, None] * per_ampere * unit_vector(rng)


def cable_field_ut(rng: np.random.Generator, t_s: Floats, cable: Cable, start_h: float) -> Floats:
    """50 Hz seen at the instants of sampling: slow beats with the grid's wander and the node's clock."""
    hour = (start_h + t_s / 3600.0) % 24
    load = 0.55 + 0.35 * np.cos((hour - 20.0) * np.pi / 12.0) + 0.1 * np.sin(hour * 2.1)
    grid = np.arange(0.0, t_s[-1] + 2.0)
    wander = np.cumsum(_smooth(rng, len(grid), 60.0) * 0.015)
    phase = 2 * np.pi * (GRID_HZ * t_s * (1.0 + rng.normal(0, 2e-5)) + np.interp(t_s, grid, wander))
    main, side = unit_vector(rng), 0.3 * unit_vector(rng)
    wave = np.sin(phase)[:, None] * main + np.cos(phase)[:, None] * side
    field: Floats = (drawn(rng, cable.peak_ut) * load)[:, None] * wave
    return field


def metro_field_ut(
    rng: np.random.Generator, t_s: Floats, metro: Metro, segments: Sequence[NoiseSegment], start_h: float
) -> Floats:
    """Recorded segments one after another with pauses; each magnetometer has a direction of the site."""
    total = np.zeros((len(t_s), 3))
    main = unit_vector(rng)
    other = unit_vector(rng)
    clock = float(rng.uniform(0.0, 60.0))
    while clock < t_s[-1]:
        segment = segments[int(rng.integers(len(segments)))]
        if _in_service(clock, start_h):
            _add_segment(total, t_s, clock, segment, metro.scale, main, other)
        clock += segment.duration_s + float(rng.uniform(*metro.pause_s))
    return total


def charger_field_ut(
    rng: np.random.Generator, t_s: Floats, charger: Charger, visits: Sequence[Visit]
) -> Floats:
    """Charging sessions of some of the stays: steps of current and ripple in one direction."""
    total = np.zeros((len(t_s), 3))
    direction = unit_vector(rng)
    for visit in visits:
        if rng.random() < charger.share_of_stays:
            begin = visit.stop_s + rng.uniform(20.0, 90.0)
            end = begin + (visit.leave_s - begin) * rng.uniform(0.3, 0.95)
            _add_session(rng, total, t_s, begin, end, charger, direction)
    return total


def _add_tram(rng: np.random.Generator, current: Floats, at_s: float) -> None:
    """Start, run, coast, brake: the current in the section past the bay."""
    peak = rng.uniform(*TRAM_PEAK_A) * rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0)
    ramp, run, coast, brake = rng.uniform([12, 4, 15, 10], [20, 15, 45, 18])
    times = np.cumsum([0.0, ramp, run, 4.0, coast, brake * 0.3, brake * 0.7])
    shape = np.array([0.0, 1.0, 0.8, 0.1, 0.08, -TRAM_REGENERATION, 0.0]) * peak
    first = int(at_s)
    last = min(len(current), first + int(times[-1]) + 2)
    current[first:last] += np.interp(np.arange(first, last) - at_s, times, shape, right=0.0)


def _service_times_s(
    rng: np.random.Generator, span_s: float, headway_s: Range, start_h: float
) -> list[float]:
    times = []
    clock = float(rng.uniform(0.0, headway_s[1]))
    while clock < span_s:
        if _in_service(clock, start_h):
            times.append(clock)
        clock += float(rng.uniform(*headway_s))
    return times


def _in_service(at_s: float, start_h: float) -> bool:
    return SERVICE_H[0] <= (start_h + at_s / 3600.0) % 24 < SERVICE_H[1]


def _smooth(rng: np.random.Generator, count: int, seconds: float) -> Floats:
    """Unit-variance noise with a correlation time, on a 1 s grid."""
    knots = rng.normal(size=int(count / seconds) + 3)
    return np.interp(np.arange(count) / seconds, np.arange(len(knots)), knots)


def _add_segment(
    total: Floats, t_s: Floats, at_s: float, segment: NoiseSegment, scale: float, main: Floats, other: Floats
) -> None:
    first, last = np.searchsorted(t_s, [at_s, at_s + segment.duration_s])
    when = t_s[first:last] - at_s
    for noise, direction in zip(segment.noise_ut, (main, other), strict=True):
        total[first:last] += scale * np.interp(when, segment.t_s, noise)[:, None] * direction


def _add_session(
    rng: np.random.Generator,
    total: Floats,
    t_s: Floats,
    begin_s: float,
    end_s: float,
    charger: Charger,
    direction: Floats,
) -> None:
    first, last = np.searchsorted(t_s, [begin_s, end_s])
    if last - first < 2:
        return
    level = drawn(rng, charger.field_ut)
    switches = np.sort(rng.uniform(begin_s, end_s, int(drawn(rng, charger.steps_per_session))))
    on = np.searchsorted(switches, t_s[first:last]) % 2 == 0
    ripple = 0.15 * level * rng.normal(size=last - first)
    total[first:last] += (on * level + ripple)[:, None] * direction
