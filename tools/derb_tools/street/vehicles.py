"""Vehicles as a handful of dipoles along their length.

Each dipole carries a permanent moment, which turns with the vehicle, and an induced one along the
Earth's field. No table of moments has been published; medians, heights and counts are fitted to the standing
fields of real cars (field notes on sensing, section D), where the point and extended dipole models come from
Wahlstrom and Gustafsson, 2014.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from derb_tools.street.field import dipole_field_ut
from derb_tools.street.types import Floats, Ints, Range

DIPOLES_MAX = 8
MOMENT_LOG_SIGMA = 0.55
PERMANENT_SHARE = 0.65
INDUCED_SHARE = 0.75
INDUCED_SPREAD: Range = (0.6, 1.2)


@dataclass(frozen=True)
class VehicleClass:
    """What all vehicles of a class share: metres and A m2 (median of one dipole)."""

    name: str
    length_m: Range
    dipoles: tuple[int, int]
    moment_am2: float
    height_m: Range
    scatter_m: Range = (0.40, 0.16)
    """Spread of where it stops, along and across the bay."""
    lateral_m: float = 0.25
    hollow_m: float = 0.0
    """No dipole nearer than this to the middle (ladder frames whose iron is at the ends)."""


CLASSES: Mapping[str, VehicleClass] = {
    kind.name: kind
    for kind in (
        VehicleClass("sedan", (4.0, 4.8), (4, 6), 26, (0.40, 0.62)),
        VehicleClass("suv", (4.4, 4.9), (4, 6), 36, (0.60, 0.82)),
        VehicleClass("van", (4.9, 5.9), (5, 7), 48, (0.55, 0.85)),
        VehicleClass("light_truck", (5.6, 7.0), (8, 8), 95, (0.85, 1.20)),
        VehicleClass("ev", (4.1, 4.8), (4, 6), 14, (0.40, 0.62)),
        VehicleClass("high_clearance", (4.7, 5.2), (4, 4), 48, (0.80, 1.05), hollow_m=1.1),
        VehicleClass(
            "motorcycle", (2.0, 2.3), (2, 2), 5, (0.35, 0.60), lateral_m=0.05, scatter_m=(0.6, 0.55)
        ),
        VehicleClass("bus", (11.5, 12.5), (8, 8), 190, (0.70, 1.10), lateral_m=0.3),
    )
}
KINDS: Sequence[str] = tuple(CLASSES)
WEAK_KINDS = frozenset({"motorcycle", "high_clearance"})
"""Reported apart: their field may be below what any magnetometer can tell from traffic."""


@dataclass(frozen=True)
class Fleet:
    """Vehicles by index: dipole places (n, 8, 3) about the middle, moments; unused dipoles are zero."""

    kind: Ints
    length_m: Floats
    body_m: Floats
    permanent_am2: Floats
    induced_am2: Floats

    def kind_name(self, index: int) -> str:
        """The class of one vehicle."""
        return KINDS[int(self.kind[index])]


def draw_kinds(rng: np.random.Generator, mix: Mapping[str, float], count: int) -> Ints:
    """Class indices in the proportions of `mix` (they need not sum to one)."""
    names = list(mix)
    weights = np.array([mix[name] for name in names])
    chosen = rng.choice(len(names), size=count, p=weights / weights.sum())
    return np.array([KINDS.index(name) for name in names], dtype=np.int64)[chosen]


def draw_fleet(rng: np.random.Generator, kind: Ints) -> Fleet:
    """One random vehicle for each class index."""
    count = len(kind)
    table = [CLASSES[name] for name in KINDS]
    length = _between(rng, np.array([c.length_m for c in table])[kind])
    used = _dipole_counts(rng, np.array([c.dipoles for c in table])[kind])
    present = np.arange(DIPOLES_MAX)[None, :] < used[:, None]
    strength = np.array([c.moment_am2 for c in table])[kind][:, None] * np.exp(
        MOMENT_LOG_SIGMA * rng.normal(size=(count, DIPOLES_MAX))
    )
    strength = np.where(present, strength, 0.0)
    direction = rng.normal(size=(count, DIPOLES_MAX, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return Fleet(
        kind=kind,
        length_m=length,
        body_m=_places(rng, kind, length, used),
        permanent_am2=PERMANENT_SHARE * strength[..., None] * direction,
        induced_am2=INDUCED_SHARE * strength * rng.uniform(*INDUCED_SPREAD, size=(count, 1)),
    )


def fleet_field_ut(
    fleet: Fleet, which: Ints, x_m: Floats, y_m: Floats, yaw_rad: Floats, earth_ut: Floats
) -> Floats:
    """Field (n, 3) at the sensor of vehicle `which[i]` standing at (x, y), turned by yaw, for each i."""
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    place = _turned(fleet.body_m[which], cos, sin)
    place[..., 0] += x_m[:, None]
    place[..., 1] += y_m[:, None]
    moment = _turned(fleet.permanent_am2[which], cos, sin)
    moment += fleet.induced_am2[which][..., None] * (earth_ut / np.linalg.norm(earth_ut))
    total: Floats = dipole_field_ut(-place, moment).sum(axis=1)
    return total


def _turned(vectors: Floats, cos: Floats, sin: Floats) -> Floats:
    out = vectors.copy()
    out[..., 0] = cos[:, None] * vectors[..., 0] - sin[:, None] * vectors[..., 1]
    out[..., 1] = sin[:, None] * vectors[..., 0] + cos[:, None] * vectors[..., 1]
    return out


def _between(rng: np.random.Generator, low_high: Floats) -> Floats:
    return low_high[:, 0] + rng.random(len(low_high)) * (low_high[:, 1] - low_high[:, 0])


def _dipole_counts(rng: np.random.Generator, low_high: Ints) -> Ints:
    spread = low_high[:, 1] - low_high[:, 0] + 1
    return low_high[:, 0] + (rng.random(len(low_high)) * spread).astype(np.int64)


def _places(rng: np.random.Generator, kind: Ints, length: Floats, used: Ints) -> Floats:
    """Evenly spaced from bumper to bumper, shifted a little; pushed out of a hollow middle."""
    table = [CLASSES[name] for name in KINDS]
    count = len(kind)
    even = (np.arange(DIPOLES_MAX)[None, :] + 0.5) / used[:, None] - 0.5
    along = np.clip(even, -0.5, 0.5) * 0.9 * length[:, None] + rng.normal(0, 0.15, (count, DIPOLES_MAX))
    hollow = np.array([c.hollow_m for c in table])[kind][:, None]
    half = 0.45 * length[:, None]
    along = np.sign(along) * (hollow + np.abs(along) * (half - hollow) / half)
    across = rng.normal(size=(count, DIPOLES_MAX)) * np.array([c.lateral_m for c in table])[kind][:, None]
    heights = np.array([c.height_m for c in table])[kind]
    base = _between(rng, heights)
    height = np.clip(
        base[:, None] + rng.normal(0, 0.06, (count, DIPOLES_MAX)), heights[:, :1], heights[:, 1:]
    )
    return np.stack([along, across, height], axis=-1)
