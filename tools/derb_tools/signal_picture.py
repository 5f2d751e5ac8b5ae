"""A sensor's signal as a line of text: the last values as a picture, the middle, how far they spread. Pure."""

from collections.abc import Sequence
from statistics import median

WIDTH = 40  # so that a line fits a terminal of 80 columns
_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """The last values, each as a block between `low` and `high`; what lies outside is drawn at the edge."""
    span = max(high - low, 1e-9)
    steps = len(_LEVELS) - 1
    shares = (min(1.0, max(0.0, (value - low) / span)) for value in values[-WIDTH:])
    return "".join(_LEVELS[round(share * steps)] for share in shares)


def picture(name: str, values: Sequence[float], unit: str, least_span: float) -> str:
    """One line: name, picture, last value and spread. `least_span` keeps mere noise from filling the picture."""
    if not values:
        return f"{name:>9}  {'':{WIDTH}}  waiting"
    seen = values[-WIDTH:]
    middle = median(seen)
    half = max(least_span / 2, max(seen) - middle, middle - min(seen))
    line = sparkline(seen, middle - half, middle + half)
    return f"{name:>9}  {line:{WIDTH}}  {seen[-1]:8.0f} {unit}  spread {max(seen) - min(seen):.0f}"
