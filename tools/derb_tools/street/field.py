"""The field of the Earth and of dipoles, in microtesla.

Bay frame: x along the bay, y to the left, z up, origin at the sensor.
"""

import numpy as np

from derb_tools.street.types import Floats

# IGRF at Casablanca, June 2026: north, east, down.
CASABLANCA_NED_UT = np.array([29.34, -0.27, 29.75])


def earth_field_ut(heading_rad: float) -> Floats:
    """The Earth's field in the frame of a bay whose x axis points to `heading_rad` (clockwise from north)."""
    north, east, down = CASABLANCA_NED_UT
    ahead = north * np.cos(heading_rad) + east * np.sin(heading_rad)
    left = north * np.sin(heading_rad) - east * np.cos(heading_rad)
    return np.array([ahead, left, -down])


def dipole_field_ut(from_dipole_m: Floats, moment_am2: Floats) -> Floats:
    """The field of point dipoles, arrays of shape (..., 3): 0.1 (3 r (m.r) / r^5 - m / r^3).

    `from_dipole_m` points from the dipole to where the field is wanted.
    """
    square = np.einsum("...i,...i->...", from_dipole_m, from_dipole_m)
    along = np.einsum("...i,...i->...", from_dipole_m, moment_am2)
    cube = square * np.sqrt(square)
    field: Floats = 0.1 * (3.0 * (along / square)[..., None] * from_dipole_m - moment_am2) / cube[..., None]
    return field


def random_rotation(rng: np.random.Generator) -> Floats:
    """A rotation matrix, evenly over all orientations (Shoemake's random quaternion)."""
    w, x, y, z = _random_quaternion(rng)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _random_quaternion(rng: np.random.Generator) -> Floats:
    quaternion = rng.normal(size=4)
    unit: Floats = quaternion / np.linalg.norm(quaternion)
    return unit
