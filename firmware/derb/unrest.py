"""How far, and in which directions, the field of a place steps without any vehicle in the bay.

A tram's current moves it along one line, a cable in a plane, neighbours a little in any direction. The spread of such steps is
learnt as a matrix of second moments, and differences of fields are then measured in units of it: what lies along a restless
direction counts for little, what lies across counts in full.
"""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.field_math import isqrt, length, ln64

_UNIT_SHIFT = const(4)  # moments in (16 nT)^2
_FLOOR = const(16)  # 256 nT: a place is never taken for quieter
_FLOOR2 = const(256)
_MOST = const(1800)  # 29 uT
_FAR_NT = const(100000)
_CLIP_NT = const(1024)
_RATE = const(12)  # a step counts for a twelfth


class Unrest:
    """Second moments `m` (xx, xy, xz, yy, yz, zz) beyond the floor; `ln_det`, 64ths, of how much `size` shrinks volumes."""

    def __init__(self):
        self.m = [0] * 6
        self._l = [0] * 6
        self.factor()

    def learn(self, x, y, z, bustle):
        """The field stepped by (x, y, z) nT, and no vehicle of this bay did it."""
        # A single rare step must not make the place seem restless, nor many large ones hide every vehicle.
        sized = max(self.size(x, y, z), length(x, y, z) * 4 // (16 + bustle))
        if sized > _CLIP_NT:
            x, y, z = (
                x * 64 // sized * _CLIP_NT // 64,
                y * 64 // sized * _CLIP_NT // 64,
                z * 64 // sized * _CLIP_NT // 64,
            )
        x, y, z = x >> _UNIT_SHIFT, y >> _UNIT_SHIFT, z >> _UNIT_SHIFT
        while max(abs(x), abs(y), abs(z)) > _MOST:
            x, y, z = x >> 1, y >> 1, z >> 1
        m = self.m
        m[0] += (x * x - m[0]) // _RATE
        m[1] += (x * y - m[1]) // _RATE
        m[2] += (x * z - m[2]) // _RATE
        m[3] += (y * y - m[3]) // _RATE
        m[4] += (y * z - m[4]) // _RATE
        m[5] += (z * z - m[5]) // _RATE
        self.factor()

    def factor(self):
        """Take the square root of the moments, by Cholesky."""
        m = self.m
        a = max(1, isqrt(m[0] + _FLOOR2))
        b = m[1] // a
        c = m[2] // a
        d = isqrt(max(_FLOOR2, m[3] + _FLOOR2 - b * b))
        e = (m[4] - b * c) // d
        f = isqrt(max(_FLOOR2, m[5] + _FLOOR2 - c * c - e * e))
        lower = self._l
        lower[0], lower[1], lower[2], lower[3], lower[4], lower[5] = a, b, c, d, e, f
        self.ln_det = min(0, 3 * ln64(_FLOOR) - ln64(a) - ln64(d) - ln64(f))

    def size(self, x, y, z):
        """Return the length of a difference of fields, nT, with restless directions shortened."""
        if max(abs(x), abs(y), abs(z)) > _FAR_NT:
            return length(x, y, z)
        lower = self._l
        u = x * _FLOOR // lower[0]
        v = (y - lower[1] * u // _FLOOR) * _FLOOR // lower[3]
        w = (z - (lower[2] * u + lower[4] * v) // _FLOOR) * _FLOOR // lower[5]
        return length(u, v, w)

    def pack_into(self, record, offset):
        """Write 24 bytes."""
        struct.pack_into("<6i", record, offset, *self.m)

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`."""
        self.m[:] = struct.unpack_from("<6i", record, offset)
        self.factor()
