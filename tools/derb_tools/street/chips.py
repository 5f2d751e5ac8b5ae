"""Magnetometers: what a chip and its node make of the field."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from derb_tools.street.field import random_rotation
from derb_tools.street.types import Floats, Ints, Range, drawn, unit_vector


@dataclass(frozen=True)
class Chip:
    """Noise (uT rms an axis), step (uT), range (uT), drift of offset (uT/K) and gain (1/K)."""

    name: str
    noise_ut: Range
    lsb_ut: float
    full_scale_ut: float
    offset_ut_per_k: float
    gain_per_k: float = 0.0001


# Noise and steps: field notes on sensing, section D (data sheets; most marked "from memory" there).
CHIPS: Mapping[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip("RM3100", (0.015, 0.020), 0.013, 800.0, 0.01),
        Chip("MMC5983MA", (0.035, 0.045), 0.00625, 800.0, 0.02),
        Chip("LIS3MDL", (0.32, 0.41), 0.0146, 400.0, 0.05),
        Chip("QMC5883L", (0.20, 0.30), 0.033, 800.0, 0.10, gain_per_k=0.0005),
        Chip("BMM150", (0.30, 1.00), 0.0625, 1300.0, 0.23),
    )
}
GAIN_ERROR = 0.05
CROSS_AXIS = 0.015
HARD_IRON_UT = 25.0
REFERENCE_C = 25.0


@dataclass(frozen=True)
class Mounting:
    """One node: its chip, how it lies, its errors; `drift_ut_per_k` follows the battery."""

    chip: Chip
    noise_ut: float
    turn: Floats
    gain: Floats
    offset_ut: Floats
    drift_ut_per_k: Floats
    chip_drift_ut_per_k: Floats

    def to_bay(self, vectors: Floats) -> Floats:
        """Vectors (n, 3) in the sensor's frame, seen in the bay's."""
        turned: Floats = vectors @ self.turn
        return turned

    def ideal_ut(self, bay_ut: Floats, chip_c: Floats, battery_c: Floats) -> Floats:
        """The field as the node would report it without noise, steps or limits."""
        scale = 1.0 + self.chip.gain_per_k * (chip_c - REFERENCE_C)
        own = (battery_c - battery_c[0])[:, None] * self.drift_ut_per_k
        own = own + (chip_c - chip_c[0])[:, None] * self.chip_drift_ut_per_k
        seen: Floats = (bay_ut @ self.turn.T @ self.gain.T) * scale[:, None] + self.offset_ut + own
        return seen

    def readings_nt(self, rng: np.random.Generator, ideal_ut: Floats) -> Ints:
        """Noise, clipping at full scale, rounding to the chip's step; nanotesla."""
        noisy = ideal_ut + self.noise_ut * rng.normal(size=ideal_ut.shape)
        clipped = np.clip(noisy, -self.chip.full_scale_ut, self.chip.full_scale_ut)
        counts = np.rint(clipped / self.chip.lsb_ut)
        return np.rint(counts * self.chip.lsb_ut * 1000.0).astype(np.int64)


def mount(rng: np.random.Generator, chip: Chip, drift_ut_per_k: Range) -> Mounting:
    """A node laid at random; its battery and case drift by a length in `drift_ut_per_k`."""
    gain = np.eye(3) + np.diag(rng.normal(0, GAIN_ERROR, 3)) + rng.normal(0, CROSS_AXIS, (3, 3))
    return Mounting(
        chip=chip,
        noise_ut=drawn(rng, chip.noise_ut),
        turn=random_rotation(rng),
        gain=gain,
        offset_ut=rng.normal(0, HARD_IRON_UT, 3),
        drift_ut_per_k=drawn(rng, drift_ut_per_k) * unit_vector(rng),
        chip_drift_ut_per_k=chip.offset_ut_per_k * rng.normal(0, 0.6, 3),
    )
