"""The one direction in which a tram's or a metro's current moves the field: learnt, then left out of every length.

The loop of wire and rails lies still, so its field keeps to one line whatever the current; a vehicle's field turns as it moves.
"""

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.field_math import length

_UNIT = const(1024)
_REACH_NT = const(300000)  # 300 uT x 1024 x 3 stays below 2^30
_ALIKE = const(994)  # cosine 0.97 of 1024: within 14 degrees
_SURE = const(6)  # so many disturbances along one line before it is believed
_MOST = const(24)
_DOUBTED = const(3)  # and so few before it is given up again


class FixedLine:
    """A direction (components of 1024) and how many times more than not it was seen."""

    def __init__(self):
        self.x = _UNIT
        self.y = 0
        self.z = 0
        self.seen = 0
        self.sure = 0

    def learn(self, x, y, z):
        """Take the largest deviation, nT, of a disturbance that kept to a line."""
        far = length(x, y, z)
        if far == 0:
            return
        while far > 16383:
            far, x, y, z = far >> 1, x >> 1, y >> 1, z >> 1
        x, y, z = x * _UNIT // far, y * _UNIT // far, z * _UNIT // far
        along = (x * self.x + y * self.y + z * self.z) // _UNIT
        if along < 0:
            along, x, y, z = -along, -x, -y, -z
        if along >= _ALIKE:
            self.seen = min(self.seen + 1, _MOST)
            if self.seen >= _SURE:
                self.sure = 1
            self._turn(self.x * 7 + x, self.y * 7 + y, self.z * 7 + z)
        elif self.seen > 0:
            self.seen -= 1
            if self.seen < _DOUBTED:
                self.sure = 0
        else:
            self.seen = 1
            self._turn(x, y, z)

    def _turn(self, x, y, z):
        far = max(1, length(x, y, z))
        self.x, self.y, self.z = x * _UNIT // far, y * _UNIT // far, z * _UNIT // far

    def reach(self, x, y, z):
        """Return the length of a difference of fields, nT, without its part along the line once that is sure."""
        if not self.sure or max(abs(x), abs(y), abs(z)) > _REACH_NT:
            return length(x, y, z)
        along = (x * self.x + y * self.y + z * self.z) >> 10
        return length(
            x - ((along * self.x) >> 10), y - ((along * self.y) >> 10), z - ((along * self.z) >> 10)
        )
