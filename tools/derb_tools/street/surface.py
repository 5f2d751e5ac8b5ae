"""The surface of the refuse: a pile below the lid with lumps on it, and what a beam sees of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from derb_tools.street.container import Container, Pinger
from derb_tools.street.filling import Deposit
from derb_tools.street.types import Floats, Range

CELLS = 13
PILE_ANGLE_DEG: Range = (15.0, 35.0)
LUMP_MM: Range = (50.0, 250.0)
LUMP_RADIUS_M: Range = (0.06, 0.18)
LUMPS_KEPT = 6
LUMP_FADES_OVER = 2.5
"""Deposits after which a lump is half buried."""
NEAREST_SHARE = 0.05
"""A surface is strong enough to trigger once this share of the beam's energy has met it."""


@dataclass(frozen=True)
class Heap:
    """What is random of one container's heap."""

    slope: float
    lump_scale: float
    apex_x: float
    apex_y: float


def draw_heap(rng: np.random.Generator, lump_scale: float) -> Heap:
    """A heap with its own angle, under a lid that drops refuse somewhat off the middle."""
    apex = rng.uniform(-0.12, 0.12, 2)
    return Heap(
        float(np.tan(np.radians(rng.uniform(*PILE_ANGLE_DEG)))), lump_scale, float(apex[0]), float(apex[1])
    )


@dataclass(frozen=True)
class View:
    """The cells of a container's plan and how strongly the beam meets each, from its sensor at the middle."""

    container: Container
    x_m: Floats
    y_m: Floats
    half_beam: float

    def heights_mm(self, heap: Heap, fill: float, deposits: Sequence[Deposit]) -> Floats:
        """Height of each cell above the floor; the mean is the fill, as far as floor and lid allow."""
        mean = fill / 100.0 * self.container.depth_mm
        shape = self._pile_mm(heap, mean) + self._lumps_mm(heap, deposits)
        shape -= shape.mean()
        lowest = -float(shape.min())
        if lowest > mean:
            shape *= mean / lowest
        heights: Floats = np.minimum(mean + shape, self.container.empty_mm - 15.0)
        return heights

    def nearest_mm(self, heights_mm: Floats) -> float:
        """Slant range of the nearest surface that returns enough of the beam."""
        down = self.container.empty_mm - heights_mm
        aside = np.hypot(self.x_m, self.y_m) * 1000.0
        slant = np.hypot(down, aside)
        angle = np.arctan2(aside, down)
        weight = np.exp(-np.log(2.0) * (angle / self.half_beam) ** 2 * 2.0)
        order = np.argsort(slant)
        share = np.cumsum(weight[order]) / weight.sum()
        return float(slant[order][np.searchsorted(share, NEAREST_SHARE)])

    def _pile_mm(self, heap: Heap, mean_mm: float) -> Floats:
        away = np.hypot(
            self.x_m - heap.apex_x * self.container.width_m, self.y_m - heap.apex_y * self.container.length_m
        )
        return -1000.0 * heap.slope * away

    def _lumps_mm(self, heap: Heap, deposits: Sequence[Deposit]) -> Floats:
        total = np.zeros_like(self.x_m)
        for age, deposit in enumerate(reversed(deposits[-LUMPS_KEPT:])):
            bigness = (deposit.points / 6.0) ** 0.5
            height = heap.lump_scale * (LUMP_MM[0] + bigness * (LUMP_MM[1] - LUMP_MM[0]))
            radius = LUMP_RADIUS_M[0] + bigness * (LUMP_RADIUS_M[1] - LUMP_RADIUS_M[0])
            dx = self.x_m - deposit.x * self.container.width_m
            dy = self.y_m - deposit.y * self.container.length_m
            total += height * 0.5 ** (age / LUMP_FADES_OVER) * np.exp(-(dx * dx + dy * dy) / (2 * radius**2))
        return total


def view(container: Container, pinger: Pinger) -> View:
    """The plan in cells."""
    steps = (np.arange(CELLS) + 0.5) / CELLS - 0.5
    x, y = np.meshgrid(steps * container.width_m, steps * container.length_m)
    return View(container, x.ravel(), y.ravel(), float(np.radians(pinger.beam_deg / 2)))
