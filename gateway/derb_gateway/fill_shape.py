"""From the distance of a surface to how full a container is, where that is not a straight line. Pure."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator

DISTANCE_MAX_MM = 8185

Point = tuple[int, float]
"""Distance in mm, fill in percent."""


def _checked(table: object) -> tuple[Point, ...]:
    """The points, nearest first. Raises ValueError when the node would refuse them too."""
    if not isinstance(table, list | tuple) or not all(_is_point(point) for point in table):
        raise ValueError("must be a list of [distance in mm, percent]")
    points = sorted((int(mm), float(pct)) for mm, pct in table)
    if len(points) == 1:
        raise ValueError("needs two points or more")
    if any(not 0 <= mm <= DISTANCE_MAX_MM or not 0 <= pct <= 100 for mm, pct in points):
        raise ValueError(f"goes from 0 to {DISTANCE_MAX_MM} mm and from 0 to 100 percent")
    if any(near[0] == far[0] or near[1] < far[1] for near, far in pairwise(points)):
        raise ValueError("must not rise with distance, and no distance may be there twice")
    return tuple(points)


def _is_point(point: object) -> bool:
    if not isinstance(point, list | tuple) or len(point) != 2:
        return False
    return type(point[0]) is int and type(point[1]) in (int, float)


FillTable = Annotated[tuple[Point, ...], BeforeValidator(_checked)]


def of_table(points: Iterable[Point], distance_mm: int) -> float:
    """Return the fill in percent, level beyond the ends of the table."""
    known = list(points)
    if distance_mm <= known[0][0]:
        return known[0][1]
    for (near_mm, more_pct), (far_mm, less_pct) in pairwise(known):
        if distance_mm <= far_mm:
            return less_pct + (more_pct - less_pct) * (far_mm - distance_mm) / (far_mm - near_mm)
    return known[-1][1]


def of_shape(height: float, floor: float, shape: Literal["cone", "box"]) -> float:
    """Return the share of the volume under a share of the height; `floor`: its width by the brim's.

    A cone tapers in width and length (a stump's volume is h (a^2 + ab + b^2) / 3), a box in one of them.
    """
    wide = floor + (1.0 - floor) * height
    if shape == "cone":
        return height * (floor**2 + floor * wide + wide**2) / (floor**2 + floor + 1.0)
    return height * (floor + wide) / (floor + 1.0)
