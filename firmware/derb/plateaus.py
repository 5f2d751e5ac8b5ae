"""Fields that stood still for a while, remembered: an empty bay comes back to the same one, no two cars do.

Places are relative to the present field and are not touched by drift, which moves them all alike. One unit is 16 nT,
so that a place fits six bytes.
"""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


NEAR_NT = 2000
_COUNT = const(8)
_SHIFT = const(4)
_FAR = const(32000)
_OLDEST = const(250)
_PLACE = "<hhhBB"
SIZE = 64


class Plateaus:
    """Up to eight places, each with the number of times it was come back to, 0 for an empty one."""

    def __init__(self, line):
        """`line.reach(x, y, z)` measures how far apart two fields are."""
        self._line = line
        self._at = [0] * (3 * _COUNT)
        self.seen = [0] * _COUNT
        self._age = [0] * _COUNT

    def shift(self, x, y, z):
        """The present field moved by (x, y, z) nT and the places did not."""
        at = self._at
        for k in range(_COUNT):
            at[3 * k] = _held(at[3 * k] - (x + 8 >> _SHIFT))
            at[3 * k + 1] = _held(at[3 * k + 1] - (y + 8 >> _SHIFT))
            at[3 * k + 2] = _held(at[3 * k + 2] - (z + 8 >> _SHIFT))

    def find(self, x, y, z, within_nt):
        """Return the index of the place nearest to (x, y, z) nT, -1 if none is within `within_nt`."""
        best, found = within_nt, -1
        at = self._at
        for k in range(_COUNT):
            if self.seen[k]:
                off = self._line.reach(
                    (at[3 * k] << _SHIFT) - x, (at[3 * k + 1] << _SHIFT) - y, (at[3 * k + 2] << _SHIFT) - z
                )
                if off < best:
                    best, found = off, k
        return found

    def keep(self, x, y, z, seen):
        """Remember a place, or move the one that is near there; the least seen and oldest one makes room."""
        k = self.find(x, y, z, NEAR_NT)
        if k < 0:
            k = self._least()
            self.seen[k] = 0
        self.seen[k] = max(self.seen[k], seen)
        for j in range(_COUNT):
            self._age[j] = min(self._age[j] + 1, _OLDEST)
        self._age[k] = 0
        self._at[3 * k] = _held(x + 8 >> _SHIFT)
        self._at[3 * k + 1] = _held(y + 8 >> _SHIFT)
        self._at[3 * k + 2] = _held(z + 8 >> _SHIFT)

    def again(self, k):
        """Return how often the place was come back to, counting now if it was left lately."""
        return self.seen[k] + (1 if self._age[k] <= 3 else 0)

    def is_latest(self, k):
        """Return whether no other place was left since."""
        return self._age[k] == 0

    def _least(self):
        least, found = 1 << 20, 0
        for k in range(_COUNT):
            worth = self.seen[k] * _COUNT - self._age[k] if self.seen[k] else -1000
            if worth < least:
                least, found = worth, k
        return found

    def pack_into(self, record, offset):
        """Write `SIZE` bytes."""
        for k in range(_COUNT):
            place = self._at[3 * k : 3 * k + 3]
            struct.pack_into(_PLACE, record, offset + 8 * k, *place, self.seen[k], self._age[k])

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`."""
        for k in range(_COUNT):
            fields = struct.unpack_from(_PLACE, record, offset + 8 * k)
            self._at[3 * k : 3 * k + 3] = fields[:3]
            self.seen[k], self._age[k] = fields[3:]


def _held(value):
    return max(-_FAR, min(_FAR, value))
