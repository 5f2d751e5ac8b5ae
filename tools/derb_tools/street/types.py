"""Array types shared by the street."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Strings = npt.NDArray[Any]
Range = tuple[float, float]
"""A pair (low, high); a quantity drawn evenly between them, once a trace."""


def drawn(rng: np.random.Generator, between: Range) -> float:
    """One value drawn evenly from a range."""
    return float(rng.uniform(between[0], between[1]))


def unit_vector(rng: np.random.Generator) -> Floats:
    """One direction, evenly over the sphere."""
    vector = rng.normal(size=3)
    unit: Floats = vector / np.linalg.norm(vector)
    return unit
