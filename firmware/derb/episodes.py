"""Samples of a field in, episodes out: what happened between two times at which the field stood still.

The field of an empty bay wanders with temperature by as much as a car changes it; but temperature is slow. So what changes
quietly is followed, whether a car stands there or not, and only what moves becomes an episode.
"""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.field_math import FINE, across, clip_nt, length, share, toward

# The moving average that tells movement from noise: a car needs seconds.
_FOLLOW_MS = const(2000)
# The resting field is followed so fast: hot asphalt drifts 15 nT/s at most, which lags 0.3 uT behind.
_TRACK_MS = const(20000)
# Above the drift's lag, below the least standing field of real cars, 1.6 uT.
_ACTIVE_NT = const(700)
# What still moves after so long is taken for noise: the band that counts as still widens by its own width in each.
_WIDEN_S = const(60)

# As noisy as any chip is taken for at first: a quiet one shows itself within a minute.
_FIRST_NOISE_NT = const(1200)
_MOST_NOISE_NT = const(20000)
# Noise is learnt so slowly that a car is over before it could be taken for it.
_NOISE_MS = const(60000)
_GAP_MS = const(10000)
_DRIFT_NT_PER_S = const(10)
_MOST_DRIFT_NT = const(3000)
_LONGEST_MS = const(1 << 22)

QUIET = const(0)
MOVING = const(1)
ENDED = const(2)

_FORM = "<B3i3i3iBIiBIHHHBiii3h"
SIZE = 76
_MS_SHIFT = const(7)
_NT_SHIFT = const(5)


class Episodes:
    """`busy` while something moves. After ENDED: the `step` of the resting field, nT, and what else was seen of it."""

    def __init__(self, place):
        """`place.unrest.size` measures differences of fields; `place.settle_ms`: how long to wait for rest."""
        self._place = place
        self.unrest = place.unrest
        self.busy = False
        self.noise = _FIRST_NOISE_NT
        self.noise_fine = _FIRST_NOISE_NT << FINE
        # 1/64 nT: the moving average, the resting field.
        self.fast = [0, 0, 0]
        self.rest = [0, 0, 0]
        self.rest_n = 0
        self.rest_ms = 0
        # nT; how far the resting field went in the last sample.
        self.step = [0, 0, 0]
        self.anchor = [0, 0, 0]
        self.anchor_n = self.anchor_ms = 0
        self.lasted_ms = self.sparse_ms = self.unseen_ms = 0
        self.moves = self.peak = self.sized_peak = self.bend = 0
        self.peak_at = [0, 0, 0]
        self.quiet_ms = 0

    def begin(self, x, y, z):
        """Take the first sample of all."""
        for average in (self.fast, self.rest):
            average[0] = x << FINE
            average[1] = y << FINE
            average[2] = z << FINE

    def reopen(self, x, y, z):
        """Power was lost: what lies between the resting field known and this sample is one episode that nobody saw."""
        self.rest_ms = 0
        self.fast[0], self.fast[1], self.fast[2] = x << FINE, y << FINE, z << FINE
        self._open(x, y, z)
        self.unseen_ms = _LONGEST_MS

    def take(self, dt_ms, x, y, z):
        """Take a sample; return QUIET, MOVING or, when the field has come to rest, ENDED."""
        fast = self.fast
        rest = self.rest
        weight = share(dt_ms, _FOLLOW_MS)
        fast[0] = toward(fast[0], x, weight)
        fast[1] = toward(fast[1], y, weight)
        fast[2] = toward(fast[2], z, weight)
        if not self.busy:
            away = self.unrest.size(
                clip_nt(fast[0] - rest[0] >> FINE),
                clip_nt(fast[1] - rest[1] >> FINE),
                clip_nt(fast[2] - rest[2] >> FINE),
            )
            # The average of few samples is as noisy as one: five and a half deviations either way.
            noise = self.noise * (16384 + 5 * weight // 2 >> 4) >> 10
            drift = 0 if dt_ms < _GAP_MS else min((dt_ms - _GAP_MS) * _DRIFT_NT_PER_S // 1000, _MOST_DRIFT_NT)
            if away <= max(_ACTIVE_NT, noise) + drift:
                self._drift(dt_ms, x, y, z)
                return QUIET
            self._open(x, y, z)
        return self._stir(dt_ms, x, y, z)

    def _drift(self, dt_ms, x, y, z):
        rest = self.rest
        step = self.step
        off = self.unrest.size(
            clip_nt(x - (rest[0] >> FINE)), clip_nt(y - (rest[1] >> FINE)), clip_nt(z - (rest[2] >> FINE))
        )
        limit = min(2 * self.noise + 8, _MOST_NOISE_NT)
        self.noise_fine = toward(self.noise_fine, min(off, limit), min(share(dt_ms, _NOISE_MS), 2048))
        self.noise = self.noise_fine >> FINE
        weight = share(dt_ms, _TRACK_MS)
        if self.rest_n < 20:
            self.rest_n += 1
            weight = max(weight, 16384 // self.rest_n)
        step[0], step[1], step[2] = rest[0], rest[1], rest[2]
        rest[0] = toward(rest[0], x, weight)
        rest[1] = toward(rest[1], y, weight)
        rest[2] = toward(rest[2], z, weight)
        step[0] = (rest[0] >> FINE) - (step[0] >> FINE)
        step[1] = (rest[1] >> FINE) - (step[1] >> FINE)
        step[2] = (rest[2] >> FINE) - (step[2] >> FINE)
        self.rest_ms = min(self.rest_ms + dt_ms, _LONGEST_MS)

    def _open(self, x, y, z):
        self.busy = True
        self.peak = self.sized_peak = self.bend = self.moves = self.sparse_ms = self.unseen_ms = (
            self.lasted_ms
        ) = 0
        self.peak_at[0] = self.peak_at[1] = self.peak_at[2] = 0
        self._drop_anchor(x, y, z)

    def _drop_anchor(self, x, y, z):
        self.anchor[0] = x
        self.anchor[1] = y
        self.anchor[2] = z
        self.anchor_n = 1
        self.anchor_ms = 0

    def _stir(self, dt_ms, x, y, z):
        if self.lasted_ms:
            self.sparse_ms = max(self.sparse_ms, min(dt_ms, _LONGEST_MS))
        elif not self.unseen_ms:
            self.unseen_ms = min(dt_ms, _LONGEST_MS)
        self.lasted_ms = min(self.lasted_ms + dt_ms, _LONGEST_MS)
        self._measure(x, y, z)
        anchor = self.anchor
        n = self.anchor_n
        off = self.unrest.size(
            clip_nt(x - anchor[0] // n), clip_nt(y - anchor[1] // n), clip_nt(z - anchor[2] // n)
        )
        band = max(_ACTIVE_NT, 7 * self.noise >> 1)
        if off > band + band * (self.lasted_ms // 1000) // _WIDEN_S:
            self._drop_anchor(x, y, z)
            self.moves = min(self.moves + 1, 255)
            return MOVING
        if self.lasted_ms > dt_ms:
            self.anchor_ms += dt_ms
            if n < 64:
                anchor[0] += x
                anchor[1] += y
                anchor[2] += z
                self.anchor_n += 1
        # What still goes on in the same direction is farthest off at last.
        if off <= band >> 1 and self.anchor_n >= 2 and self.anchor_ms >= self._place.settle_ms:
            self._settle()
            return ENDED
        return MOVING

    def _measure(self, x, y, z):
        rest = self.rest
        x = clip_nt(x - (rest[0] >> FINE))
        y = clip_nt(y - (rest[1] >> FINE))
        z = clip_nt(z - (rest[2] >> FINE))
        at = self.peak_at
        self.bend = max(self.bend, across(x, y, z, at[0], at[1], at[2]))
        self.sized_peak = max(self.sized_peak, self.unrest.size(x, y, z))
        far = length(x, y, z)
        if far > self.peak:
            self.peak = far
            at[0] = x
            at[1] = y
            at[2] = z

    def _settle(self):
        self.busy = False
        n = self.anchor_n
        for i in (0, 1, 2):
            by = clip_nt(self.anchor[i] // n - (self.rest[i] >> FINE))
            self.step[i] = by
            self.rest[i] += by << FINE
            self.fast[i] = self.rest[i]
        self.rest_n = min(n, 20)
        self.quiet_ms = self.rest_ms
        self.rest_ms = 0

    def pack_into(self, record, offset):
        """Write SIZE bytes."""
        struct.pack_into(
            _FORM, record, offset, self.busy, *self.rest, *self.fast, *self.anchor, self.anchor_n, self.anchor_ms,
            self.noise_fine, self.rest_n, self.rest_ms, self.lasted_ms >> _MS_SHIFT, self.sparse_ms >> _MS_SHIFT,
            self.unseen_ms >> _MS_SHIFT, self.moves, self.peak, self.sized_peak, self.bend,
            *[value >> _NT_SHIFT for value in self.peak_at],
        )  # fmt: skip

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`, but that times are kept in 128 ms and the peak in 32 nT."""
        fields = struct.unpack_from(_FORM, record, offset)
        self.busy = bool(fields[0])
        self.rest[:], self.fast[:], self.anchor[:] = fields[1:4], fields[4:7], fields[7:10]
        self.anchor_n, self.anchor_ms, self.noise_fine, self.rest_n = fields[10:14]
        self.rest_ms = fields[14]
        self.lasted_ms, self.sparse_ms, self.unseen_ms = [ms << _MS_SHIFT for ms in fields[15:18]]
        self.moves = fields[18]
        self.peak, self.sized_peak, self.bend = fields[19:22]
        self.peak_at[:] = [value << _NT_SHIFT for value in fields[22:25]]
        self.noise = self.noise_fine >> FINE
