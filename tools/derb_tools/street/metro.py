"""Recorded magnetic disturbance of a DC metro (origin and licence: data/README.md)."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from derb_tools.street.types import Floats

UT_PER_COUNT = 100.0 / 1090.0
"""HMC5883L at 1,090 LSB/G, an assumption that fits the Earth's field in the recordings."""
PERIOD_S = 0.094
EDGE_S = 1.5


@dataclass(frozen=True)
class NoiseSegment:
    """Twenty to forty seconds of two magnetometers, microtesla about their mean, faded at both ends."""

    t_s: Floats
    noise_ut: tuple[Floats, Floats]

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return float(self.t_s[-1])


@cache
def segments() -> tuple[NoiseSegment, ...]:
    """The segments shipped with the package."""
    table = np.loadtxt(
        str(files("derb_tools.street") / "data" / "metro_noise.csv"), delimiter=",", skiprows=1, comments="#"
    )
    return tuple(_segment(table[table[:, 0] == number]) for number in np.unique(table[:, 0]))


def _segment(rows: Floats) -> NoiseSegment:
    t = np.arange(len(rows), dtype=np.float64) * PERIOD_S
    return NoiseSegment(t, (_faded(rows[:, 1], t), _faded(rows[:, 2], t)))


def _faded(counts: Floats, t: Floats) -> Floats:
    """About the mean; the ends fade so that segments laid side by side make no step of their own."""
    edge = np.clip(np.minimum(t, t[-1] - t) / EDGE_S, 0.0, 1.0)
    faded: Floats = (counts - counts.mean()) * UT_PER_COUNT * edge
    return faded
