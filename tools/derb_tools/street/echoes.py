"""Pings: what a pulse brings back from a surface, a wall, or nothing. Microseconds."""

from dataclasses import dataclass

import numpy as np

from derb_tools.street.container import Pinger
from derb_tools.street.types import Flags, Floats, Ints, Range

NO_START_US, NEVER_ENDED_US = -1, -2
WALL_MM: Range = (150.0, 450.0)
SIGMA_MM, SIGMA_SHARE = 3.0, 0.003
FOAM_ECHO = 0.06


def sound_mm_per_us(temp_c: float) -> float:
    """Speed of sound in air: 331.3 sqrt(1 + T / 273.15) m/s."""
    return float(0.3313 * np.sqrt(1.0 + temp_c / 273.15))


def echo_us(distance_mm: Floats, temp_c: float) -> Ints:
    """There and back."""
    return np.rint(2.0 * distance_mm / sound_mm_per_us(temp_c)).astype(np.int64)


@dataclass(frozen=True)
class Clutter:
    """What one container does to pings: chances of each kind of echo, its hinge, how rough the heap."""

    wall: float
    double: float
    timeout: float
    wall_mm: float
    facets_mm: float
    timeout_us: int = NEVER_ENDED_US


def pings_us(
    rng: np.random.Generator, surface_mm: float, temp_c: float, clutter: Clutter, pinger: Pinger, count: int
) -> Ints:
    """One reading of a working sensor."""
    distance = surface_mm + _noise_mm(rng, surface_mm, clutter.facets_mm, count)
    kind = rng.random(count)
    wall = kind < clutter.wall
    nearer = wall & (clutter.wall_mm < distance)
    distance = np.where(nearer, clutter.wall_mm + rng.normal(0, 6.0, count), distance)
    double = (kind >= clutter.wall) & (kind < clutter.wall + clutter.double)
    distance = np.where(double, 2.0 * distance, distance)
    lost = (kind > 1.0 - clutter.timeout) | (distance > pinger.reach_mm)
    out = np.where(lost, clutter.timeout_us, echo_us(distance, temp_c))
    return _blinded(rng, out, distance, lost, temp_c, pinger)


def _noise_mm(rng: np.random.Generator, surface_mm: float, facets_mm: float, count: int) -> Floats:
    """Timing noise, and now and then a facet a little farther than the nearest."""
    noise = rng.normal(0.0, SIGMA_MM + SIGMA_SHARE * surface_mm, count)
    return noise + np.where(rng.random(count) < 0.3, rng.exponential(facets_mm, count), 0.0)


def _blinded(
    rng: np.random.Generator, out_us: Ints, distance: Floats, lost: Flags, temp_c: float, pinger: Pinger
) -> Ints:
    """Inside the blind zone a sensor tells its limit, nothing, or something out of the ringing."""
    inside = ~lost & (distance < pinger.blind_mm)
    told = rng.random(len(out_us))
    limit = echo_us(pinger.blind_mm + rng.normal(0, 4.0, len(out_us)), temp_c)
    ringing = echo_us(rng.uniform(0.1, 1.0, len(out_us)) * pinger.blind_mm, temp_c)
    instead = np.where(told < 0.6, limit, np.where(told < 0.8, ringing, NEVER_ENDED_US))
    return np.where(inside, instead, out_us)


def fault_pings_us(
    rng: np.random.Generator, fault: str, surface_mm: float, temp_c: float, clutter: Clutter, pinger: Pinger,
    count: int,
) -> Ints:  # fmt: skip
    """One reading under a fault. Raises KeyError for a fault that does not exist."""
    if fault in ("unplugged", "blocked", "flooded", "lid_open"):
        return _BROKEN[fault](rng, temp_c, pinger, count)
    return pings_us(rng, surface_mm, temp_c, _DISTURBED[fault](rng, clutter), pinger, count)


def _unplugged(rng: np.random.Generator, temp_c: float, pinger: Pinger, count: int) -> Ints:
    return np.full(count, NO_START_US, dtype=np.int64)


def _blocked(rng: np.random.Generator, temp_c: float, pinger: Pinger, count: int) -> Ints:
    """A bag on the sensor: its blind limit, now and then nothing."""
    told = echo_us(np.abs(rng.normal(0.9, 0.06, count)) * pinger.blind_mm, temp_c)
    return np.where(rng.random(count) < 0.15, NEVER_ENDED_US, told)


def _flooded(rng: np.random.Generator, temp_c: float, pinger: Pinger, count: int) -> Ints:
    """Water on the membrane: it rings, or hears nothing."""
    ringing = echo_us(rng.uniform(0.2, 1.0, count) * pinger.blind_mm, temp_c)
    return np.where(rng.random(count) < 0.5, NEVER_ENDED_US, ringing)


def _lid_open(rng: np.random.Generator, temp_c: float, pinger: Pinger, count: int) -> Ints:
    """It looks at the sky, sometimes at something behind the container."""
    far = echo_us(rng.uniform(0.55, 1.2, count) * pinger.reach_mm, temp_c)
    return np.where(rng.random(count) < 0.85, NEVER_ENDED_US, far)


def _foam(rng: np.random.Generator, clutter: Clutter) -> Clutter:
    return Clutter(0.02, 0.01, 1.0 - FOAM_ECHO - 0.03, clutter.wall_mm, clutter.facets_mm, clutter.timeout_us)


def _wall_echo(rng: np.random.Generator, clutter: Clutter) -> Clutter:
    return Clutter(
        float(rng.uniform(0.4, 0.7)),
        clutter.double,
        0.05,
        clutter.wall_mm,
        clutter.facets_mm,
        clutter.timeout_us,
    )


_BROKEN = {"unplugged": _unplugged, "blocked": _blocked, "flooded": _flooded, "lid_open": _lid_open}
_DISTURBED = {"foam": _foam, "wall_echo": _wall_echo}
# What a detector may say under each fault; `ok` only with the right distance.
ACCEPTED = {
    "unplugged": ("no_echo",),
    "blocked": ("too_close",),
    "flooded": ("too_close", "no_echo", "unstable"),
    "lid_open": ("no_echo", "too_far", "unstable"),
    "foam": ("no_echo", "unstable", "ok"),
    "wall_echo": ("unstable", "ok"),
}
