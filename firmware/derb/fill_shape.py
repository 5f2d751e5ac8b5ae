"""From the distance of a surface to how full a container is, where that is not a straight line. Integers only.

Both kinds are called with a distance in mm and return the fill in 1/10 %, 0 to 1000.
"""


class Tapered:
    """A container that narrows downwards (or upwards): its floor is `floor_pct` percent as wide as its brim.

    `both_ways`: a cone or pyramid stump, narrow in width and length; else a box with two slanting walls.
    """

    def __init__(self, empty_mm, full_mm, floor_pct, both_ways=True):
        if not 0 <= full_mm < empty_mm or not 0 <= floor_pct <= 1000:
            raise ValueError("no such container")
        self._empty_mm = empty_mm
        self._depth_mm = empty_mm - full_mm
        self._floor_pct = floor_pct
        self._both_ways = both_ways

    def __call__(self, mm):
        height = max(0, min(self._depth_mm, self._empty_mm - mm))
        # Per mille of the height; the volume under it is the area summed up (stump: h (a^2 + a b + b^2) / 3).
        h = (height * 1000 + self._depth_mm // 2) // self._depth_mm
        a = self._floor_pct
        b = a + (100 - a) * h // 1000
        if self._both_ways:
            part, whole = a * a + a * b + b * b, a * a + a * 100 + 10000
        else:
            part, whole = a + b, a + 100
        return h * part // whole


class Table:
    """Points (distance in mm, fill in 1/10 %) of one container, joined by straight lines; level beyond its ends.

    A heap's top is nearer than its mean, by 5 to 15 points: a table learnt beside the container takes that off.
    """

    def __init__(self, points):
        points = sorted(points)
        for (near_mm, more_x10), (far_mm, less_x10) in zip(points, points[1:]):
            if near_mm == far_mm or more_x10 < less_x10:
                raise ValueError("fill must not rise with distance")
        if len(points) < 2 or points[0][0] < 0 or points[0][1] > 1000 or points[-1][1] < 0:
            raise ValueError("a table needs two points or more, 0 to 1000 each")
        self._points = points

    def __call__(self, mm):
        points = self._points
        if mm <= points[0][0]:
            return points[0][1]
        for (near_mm, more_x10), (far_mm, less_x10) in zip(points, points[1:]):
            if mm <= far_mm:
                span = far_mm - near_mm
                return less_x10 + ((more_x10 - less_x10) * (far_mm - mm) + span // 2) // span
        return points[-1][1]


def points(text):
    """Return the points of a Table in "MM:PCT,MM:PCT,...", percent with one decimal at most; ValueError."""
    return [_point(word) for word in text.split(",")]


def _point(word):
    mm, _, pct = word.partition(":")
    whole, dot, tenth = pct.partition(".")
    if not mm.isdigit() or not whole.isdigit() or len(tenth) != len(dot) or dot and not tenth.isdigit():
        raise ValueError("a point is MM:PCT")
    return int(mm), int(whole) * 10 + int(tenth or 0)
