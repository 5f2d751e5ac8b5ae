"""The last steps of the field: what a neighbour, a queue or a tram did, it undoes or does again."""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.evidence import NEVER, ln_spread
from derb.field_math import length

_COUNT = const(6)
_PARTS = const(4)
_UNDONE = const(130)
_UNDONE_SOON = const(50)
_AGAIN = const(170)
_SOON_MS = const(300000)
_LONGEST_MS = const(4000000)
_SHIFT = const(4)  # kept in 16 nT
_FAR_NT = const(500000)
_FORM = "<18hBBH"
SIZE = 40


class Steps:
    """Six steps, nT; `next_bit` marks the place of the next one."""

    def __init__(self):
        self._at = [0] * (3 * _COUNT)
        self._used = 0
        self._next = 0
        self._age_ms = 0
        self._single = [NEVER] * _COUNT
        self._alike = [NEVER] * _COUNT
        self._parts = [NEVER] * _PARTS
        self._part_bits = [0] * _PARTS

    @property
    def next_bit(self):
        return 1 << self._next

    def pass_time(self, ms):
        self._age_ms = min(self._age_ms + ms, _LONGEST_MS)

    def look_at(self, step, blur_nt, ln_peak):
        """Ask how a step (x, y, z) suits each remembered; `ln_peak`: how its peak suits something else than a car here."""
        last = (self._next - 1) % _COUNT
        for k in range(_COUNT):
            self._single[k] = self._alike[k] = NEVER
            if self._used >> k & 1:
                undone, again = self._suits(step, k, blur_nt)
                self._alike[k] = max(undone, again) - _AGAIN
                soon = k == last and self._age_ms < _SOON_MS
                undone -= _UNDONE_SOON if soon else _UNDONE
                self._single[k] = max(undone, again - _AGAIN) + ln_peak
        x = y = z = bits = 0
        for j in range(_PARTS):
            self._parts[j] = NEVER
            k = (last - j) % _COUNT
            if self._used >> k & 1 and (j == 0 or bits):
                # What came in several parts goes in one.
                x += self._at[3 * k]
                y += self._at[3 * k + 1]
                z += self._at[3 * k + 2]
                bits |= 1 << k
                sigma = blur_nt + 50 * (j + 1) + length(x, y, z) // 40
                if j:
                    far = length(step[0] + x, step[1] + y, step[2] + z)
                    self._parts[j] = ln_spread(far, sigma) - _UNDONE + ln_peak
                self._part_bits[j] = bits
            else:
                bits = 0

    def _suits(self, step, k, blur_nt):
        # Returns the densities of step k undone, and done again.
        a, b, c = self._at[3 * k : 3 * k + 3]
        x, y, z = step
        sigma = blur_nt + 50 + length(a, b, c) // 40
        return (
            ln_spread(length(x + a, y + b, z + c), sigma),
            ln_spread(length(x - a, y - b, z - c), sigma),
        )

    def ln_known(self, others):
        """Return the density of the step last looked at, from steps that something else made: bits of `others`."""
        best = NEVER
        for k in range(_COUNT):
            if others >> k & 1:
                best = max(best, self._single[k])
        for j in range(1, _PARTS):
            bits = self._part_bits[j]
            if others & bits == bits:
                best = max(best, self._parts[j])
        return best

    def ln_alike(self, others):
        """Return the density of a vehicle like one before: the step is one of this bay's own, done again."""
        best = NEVER
        for k in range(_COUNT):
            if not others >> k & 1:
                best = max(best, self._alike[k])
        return best

    def keep(self, step):
        """Remember a step in the place of the oldest."""
        k = self._next
        for i in (0, 1, 2):
            value = max(-_FAR_NT, min(_FAR_NT, step[i]))
            self._at[3 * k + i] = (value + 8 >> _SHIFT) << _SHIFT
        self._used |= 1 << k
        self._next = (k + 1) % _COUNT
        self._age_ms = 0

    def pack_into(self, record, offset):
        """Write SIZE bytes."""
        at = [value >> _SHIFT for value in self._at]
        struct.pack_into(_FORM, record, offset, *at, self._used, self._next, self._age_ms >> 6)

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`; the age loses 1/64 s."""
        fields = struct.unpack_from(_FORM, record, offset)
        self._at[:] = [value << _SHIFT for value in fields[:18]]
        self._used, self._next = fields[18:20]
        self._age_ms = fields[20] << 6
