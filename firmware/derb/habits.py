"""What a place has shown so far: how far other things step its field, and how far its own vehicles do.

Where a neighbour's car has never moved the field by more than 1 uT, a step of 3 uT is the bay's own sooner than in a street with
a lorry at the kerb. What is known of vehicles in general is the beginning; each certain event of this place counts as one more.
"""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.evidence import ln_peak
from derb.field_math import ln64

# Sizes of steps made elsewhere, and the beginning in 1/100 events: eight in ten below 1.2 uT, one in a hundred above 4.8.
_NEAR = (1200, 2400, 4800)
_SHARE = (800, 140, 50, 10)
_BEGAN = const(1000)
_MOST_COUNTED = const(100)
_USUAL_MOST = const(256)
# The bay's own vehicles: evidence.py's median, which weighs as much as so many of them.
_OWN = const(606)
_OWN_LEAST_NT = const(1200)
_OWN_BEGAN = const(2)
_PEAK_BEGAN = const(4)
_OWN_COUNTED = const(16)
_PEAK_OFF_MOST = const(200)
_FORM = "<5Bhh"
SIZE = 9


class Habits:
    """Of the bay's own vehicles, 64 ln: `step`, their median step; `peak`, by how much their peaks are above those foretold."""

    def __init__(self):
        self._seen = [0, 0, 0, 0]
        self._n = 0
        self._at = [0, 0]
        self.factor()

    def share(self, step):
        """Return by how much, 64 ln, such a step is more usual here, made elsewhere, than in places in general."""
        k = self.size(step)
        usual = ln64((_SHARE[k] + 100 * self._seen[k]) * 64 // _SHARE[k])
        return min(_USUAL_MOST, usual - ln64((_BEGAN + 100 * sum(self._seen)) * 64 // _BEGAN))

    def size(self, step):
        """Return the class of a step, 0 to 3."""
        k = 0
        while k < 3 and step >= _NEAR[k]:
            k += 1
        return k

    def learn(self, step, peak, elsewhere):
        """Take an event to heart that was, beyond doubt, made `elsewhere` or else by a vehicle of this bay."""
        seen = self._seen
        if elsewhere:
            seen[self.size(step)] += 1
            if sum(seen) > _MOST_COUNTED:
                for k in range(4):
                    seen[k] -= (seen[k] + 3) // 4
        elif step > _OWN_LEAST_NT:
            self._n = n = min(self._n + 1, _OWN_COUNTED)
            at = self._at
            at[0] += (ln64(step) - _OWN - at[0]) // n
            off = ln64(peak) - ln_peak(step)
            at[1] += (max(-_PEAK_OFF_MOST, min(_PEAK_OFF_MOST, off)) - at[1]) // n
            self.factor()

    def factor(self):
        """Weigh what was seen against what is known of vehicles in general."""
        n = self._n
        self.step = _OWN + self._at[0] * n // (n + _OWN_BEGAN)
        self.peak = self._at[1] * n // (n + _PEAK_BEGAN)

    def pack_into(self, record, offset):
        """Write SIZE bytes."""
        struct.pack_into(_FORM, record, offset, *self._seen, self._n, *self._at)

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`."""
        fields = struct.unpack_from(_FORM, record, offset)
        self._seen[:] = fields[:4]
        self._n = fields[4]
        self._at[:] = fields[5:]
        self.factor()
