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


from derb.evidence import OWN_LN, ln_peak_foretold
from derb.field_math import ln64

# Sizes of steps made elsewhere, and the beginning in 1/100 events: eight in ten below 1.2 uT, one in a hundred above 4.8.
_EDGES_NT = (1200, 2400, 4800)
_BEGINNING = (800, 140, 50, 10)
_BEGAN = const(1000)
_MOST_COUNTED = const(100)
_USUAL_MOST = const(256)
# The bay's own vehicles: the beginning weighs as much as so many of them.
_OWN_LEAST_NT = const(1200)
_OWN_BEGAN = const(2)
_OWN_PEAK_BEGAN = const(4)
_OWN_COUNTED = const(16)
_PEAK_OFF_MOST = const(200)
_FORM = "<5Bhh"
SIZE = 9


class Habits:
    """`own_off`, `own_peak_off`: by how much larger the bay's own steps and peaks are than vehicles' in general, 64 ln."""

    def __init__(self):
        self._counts = [0, 0, 0, 0]
        self._own_n = 0
        self._own = 0
        self._own_peak = 0

    @property
    def own_off(self):
        return self._own * self._own_n // (self._own_n + _OWN_BEGAN)

    @property
    def own_peak_off(self):
        return self._own_peak * self._own_n // (self._own_n + _OWN_PEAK_BEGAN)

    def ln_usual(self, step_nt):
        """Return how much more usual than in places in general it is here that something elsewhere steps the field so far."""
        k = _class(step_nt)
        begun = _BEGINNING[k]
        share = ln64((begun + 100 * self._counts[k]) * 64 // begun)
        return min(_USUAL_MOST, share - ln64((_BEGAN + 100 * sum(self._counts)) * 64 // _BEGAN))

    def see_elsewhere(self, step_nt):
        """Something elsewhere stepped the field, beyond doubt."""
        counts = self._counts
        counts[_class(step_nt)] += 1
        if sum(counts) > _MOST_COUNTED:
            for k in range(4):
                counts[k] -= (counts[k] + 3) // 4

    def see_own(self, step_nt, peak_nt):
        """A vehicle came to the bay or left it, beyond doubt."""
        if step_nt <= _OWN_LEAST_NT:
            return
        self._own_n = n = min(self._own_n + 1, _OWN_COUNTED)
        self._own += (ln64(step_nt) - OWN_LN - self._own) // n
        off = ln64(peak_nt) - ln_peak_foretold(step_nt)
        self._own_peak += (max(-_PEAK_OFF_MOST, min(_PEAK_OFF_MOST, off)) - self._own_peak) // n

    def pack_into(self, record, offset):
        """Write SIZE bytes."""
        struct.pack_into(_FORM, record, offset, *self._counts, self._own_n, self._own, self._own_peak)

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`."""
        fields = struct.unpack_from(_FORM, record, offset)
        self._counts[:] = fields[:4]
        self._own_n, self._own, self._own_peak = fields[4:]


def _class(step_nt):
    for k in range(3):
        if step_nt < _EDGES_NT[k]:
            return k
    return 3
