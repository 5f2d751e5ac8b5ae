"""Whether a bay is taken, from the magnetic field: samples in, a state out. Integers only, no hardware.

The field of an empty bay wanders with temperature by as much as a car changes it, so no threshold on the field itself can work. What a car
does and temperature does not is *move*: so quiet changes are followed, parked or not, and only what happens between two quiet
times, an episode, may change the state.
"""

import binascii
import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


UNKNOWN = const(0)
FREE = const(1)
OCCUPIED = const(2)

# The field is followed with this time constant; a step of a car is over within seconds.
_FOLLOW_MS = const(3000)
# Activity is a sample this far from the followed field, or five times the noise; an episode ends after so much quiet, or is cut.
_ACTIVE_NT = const(800)
_QUIET_MS = const(5000)
_LONGEST_MS = const(90000)
# A standing car changes the field by 4 uT or more in nearly every bay; a neighbour's car by less.
_STEP_NT = const(4200)
_LEAST_STEP_NT = const(900)
_PEAK_NT = const(5500)
_MAX_DT_MS = const(1 << 28)

_VERSION = const(1)
_LAYOUT = "<BBBBi3i3i3i3iiiiI"
_SIZE = struct.calcsize(_LAYOUT)


class Parking:
    """The detector of one bay. `state` is UNKNOWN, FREE or OCCUPIED, `confidence` in percent, `busy` while something moves."""

    def __init__(self, saved=None):
        """Begin anew, or go on from `dumps()`; anything that is not such a record begins anew."""
        self.state = FREE
        self.confidence = 50
        self.busy = False
        self._noise = 300
        self._fast = [0, 0, 0]
        self._plateau = [0, 0, 0]
        self._base = [0, 0, 0]
        self._arrival = [0, 0, 0]
        self._quiet_ms = 0
        self._episode_ms = 0
        self._peak = 0
        self._started = False
        if saved is not None:
            self._restore(saved)

    def step(self, dt_ms, x_nt, y_nt, z_nt, temp_c100, rssi_dbm=None):
        """Take a sample that came `dt_ms` after the one before; return whether the state changed."""
        now = (x_nt, y_nt, z_nt)
        if not self._started:
            self._begin(now)
            return False
        dt_ms = max(1, min(dt_ms, _MAX_DT_MS))
        moved = _norm_of(now, self._fast)
        active = moved > max(_ACTIVE_NT, 5 * self._noise)
        self._follow(now, dt_ms)
        if active:
            self._stir(dt_ms)
        elif self.busy:
            self._quiet_ms += dt_ms
            self._episode_ms += dt_ms
        else:
            self._noise += (min(moved, 3 * self._noise) - self._noise) // 64
            self._carry()
        if self.busy:
            self._peak = max(self._peak, _norm_of(now, self._base))
            if self._quiet_ms >= _QUIET_MS or self._episode_ms >= _LONGEST_MS:
                return self._settle(now)
        return False

    def _begin(self, now):
        for i in (0, 1, 2):
            self._fast[i] = self._plateau[i] = self._base[i] = now[i]
        self._started = True

    def _follow(self, now, dt_ms):
        weight = 1024 if dt_ms > 1 << 16 else (dt_ms << 10) // (dt_ms + _FOLLOW_MS)
        fast = self._fast
        for i in (0, 1, 2):
            fast[i] += (max(-800000, min(800000, now[i] - fast[i])) * weight) >> 10

    def _stir(self, dt_ms):
        if not self.busy:
            self.busy = True
            self._episode_ms = 0
            self._peak = 0
        self._quiet_ms = 0
        self._episode_ms += dt_ms

    def _carry(self):
        # What changes quietly is drift: the empty value goes with it, under a car too.
        for i in (0, 1, 2):
            change = self._fast[i] - self._plateau[i]
            self._plateau[i] += change
            self._base[i] += change

    def _settle(self, now):
        self.busy = False
        for i in (0, 1, 2):
            self._fast[i] = now[i]
        step = _norm_of(now, self._plateau)
        away = _norm_of(now, self._base)
        changed = False
        if self.state == OCCUPIED:
            undone = _norm(*[now[i] - self._plateau[i] + self._arrival[i] for i in (0, 1, 2)])
            if step > _LEAST_STEP_NT and (
                undone < max(6000, _norm(*self._arrival) // 5) or away < _STEP_NT // 2
            ):
                changed = self._become(FREE, away)
        elif step > _STEP_NT or (self._peak > _PEAK_NT and step > _LEAST_STEP_NT):
            for i in (0, 1, 2):
                self._arrival[i] = now[i] - self._plateau[i]
            changed = self._become(OCCUPIED, step)
        for i in (0, 1, 2):
            drifted = now[i] - self._plateau[i]
            self._plateau[i] = now[i]
            if self.state == FREE:
                self._base[i] = now[i]
            elif step <= _LEAST_STEP_NT:
                self._base[i] += drifted
        return changed

    def _become(self, state, strength):
        changed = state != self.state
        self.state = state
        if state == OCCUPIED:
            self.confidence = min(99, 50 + strength * 50 // (3 * _STEP_NT))
        else:
            self.confidence = max(50, 99 - strength * 50 // (2 * _STEP_NT))
        return changed

    def dumps(self):
        """Return all that must be remembered, less than 256 bytes."""
        record = struct.pack(
            "<BBBBI3i3i3i3iiii",
            _VERSION,
            self.state,
            self.confidence,
            self.busy,
            self._noise,
            *self._fast,
            *self._plateau,
            *self._base,
            *self._arrival,
            self._quiet_ms,
            self._episode_ms,
            self._peak,
        )
        return record + struct.pack("<I", binascii.crc32(record) & 0xFFFFFFFF)

    def _restore(self, saved):
        size = 4 + 4 + 48 + 12
        if len(saved) != size + 4 or saved[0] != _VERSION:
            return
        if struct.unpack("<I", saved[size:])[0] != binascii.crc32(saved[:size]) & 0xFFFFFFFF:
            return
        fields = struct.unpack("<BBBBI3i3i3i3iiii", saved[:size])
        self.state, self.confidence, busy, self._noise = fields[1:5]
        self.busy = bool(busy)
        self._fast = list(fields[5:8])
        self._plateau = list(fields[8:11])
        self._base = list(fields[11:14])
        self._arrival = list(fields[14:17])
        self._quiet_ms, self._episode_ms, self._peak = fields[17:20]
        self._started = True


def _norm_of(a, b):
    return _norm(a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _norm(x, y, z):
    # The length of a vector by Newton's square root, scaled so that no square passes 2^30.
    x, y, z = abs(x), abs(y), abs(z)
    shift = 0
    while max(x, y, z) > 16383:
        x, y, z, shift = x >> 1, y >> 1, z >> 1, shift + 1
    square = x * x + y * y + z * z
    if square == 0:
        return 0
    root = max(x, y, z)
    for _ in range(4):
        root = (root + square // root) >> 1
    return root << shift
