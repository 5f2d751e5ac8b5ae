"""Whether a bay is taken, from the magnetic field: samples in, a state out. Integers only, no hardware.

The field of an empty bay wanders with temperature by as much as a car changes it, so no threshold on the field itself
can work. What a car does and temperature does not is *move*: so quiet changes are followed, parked or not, and only
what happens between two quiet times, an episode, may change the state. What an episode says is weighed by three
lengths: how far the field ended from where it began, how far it went meanwhile, and how far it left a straight line.
Iron that drives over the sensor does all three; a neighbour does little of the second, a current or a magnet none of
the third.
"""

import binascii
import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.field_math import FINE, across, clip_nt, length, share, toward
from derb.fixed_line import FixedLine
from derb.plateaus import NEAR_NT, Plateaus
from derb.plateaus import SIZE as _PLATEAUS_SIZE

UNKNOWN = const(0)
FREE = const(1)
OCCUPIED = const(2)

# The moving average that tells movement from noise: a car needs seconds.
_FOLLOW_MS = const(2000)
# The resting field is followed so fast: hot asphalt drifts 15 nT/s at most, which lags 0.5 uT behind.
_TRACK_MS = const(30000)
# Below the least standing field of real cars, 1.6 uT; above the drift's lag.
_ACTIVE_NT = const(800)
_LEAST_STEP_NT = const(700)
# The field must stand still for so long; longer where false plateaus are common, by so much for each nT of unrest.
_SETTLE_MS = const(3000)
_JOIN_MS = const(8000)
_CALM_NT = const(3000)
_UNREST_MS_PER_NT = const(3)
_FORGET_MS = const(1200000)
# 1/16 dB: half the least loss under a car; so many uplinks before the radio may speak, and be believed.
_RADIO_CAR = const(96)
_RADIO_LEAST = const(6)
_RADIO_MOST = const(12)
# What still moves after so long is taken for noise: the band that counts as still widens by its own width in each.
_WIDEN_S = const(60)
# Step x excursion x bend, uT3: neighbours, lorries and trams stay below, cars above.
_CAR_UT3 = const(12)
_MOST_CAR_UT3 = const(64)
_SURE_UT3 = const(100)
_MOST_NT = const(16000)
_ONE_UT3 = const(3815)  # (1000 / 64)^3
_PASSED = const(7324)  # 30 uT2 in (64 nT)^2
_WEAK = const(66)  # percent
# A car's bend is an eighth of its excursion or more; a straighter line than this is a current or a magnet.
_STRAIGHT = const(24)
# What the bend is taken for when the samples are too far apart to see it.
_UNSEEN_BEND_NT = const(700)
_SPARSE_MS = const(4000)
_FEW_MOVES = const(4)
# A step this large that stays is told as a car however straight it was: a bus in the lane does not reach it. One that took
# fewer samples than any car takes to drive in is not, once a car was seen to bend the field; before, it is told in doubt, for
# a quarter of an hour, unless it is undone.
_STRAIGHT_STEP_NT = const(5500)
_STRAIGHT_BEND_NT = const(1000)
_DRIVEN_MOVES = const(3)
_DOUBT_MS = const(900000)
_SHORT_MS = const(45000)
_NOT_SEEN = const(0)
_BENDING = const(1)
_IN_STEPS = const(2)
# How near to the empty field is empty: part of what the car had changed, for a neighbour may have moved meanwhile.
_NEAR_PERCENT = const(45)
_NEAR_MOST_NT = const(9000)
_SURELY_PERCENT = const(12)
_NEARER_PERCENT = const(60)
_NEIGHBOUR_NT = const(3000)

_FIRST_NOISE_NT = const(300)
_MOST_NOISE_NT = const(20000)
# Noise is learnt so slowly that a car is over before it could be taken for it.
_NOISE_MS = const(60000)
_MOST_PROOF = const(9)
_GAP_MS = const(10000)
_DRIFT_NT_PER_S = const(10)
_MOST_DRIFT_NT = const(3000)
_LONGEST_MS = const(1 << 22)
# Earth, a car and a node's own iron together stay below 0.3 mT; the least full scale of the chips is 0.4 mT.
_FULL_SCALE_NT = const(390000)
_BLIND_MS = const(60000)
# A living chip's noise changes the last digit; one that does not is looked at again when it does.
_STUCK_SAMPLES = const(60)
_STUCK_MS = const(600000)

_VERSION = const(3)
_BYTES = (
    "state", "confidence", "busy", "_started", "_held", "_from_held", "_proof", "_from_proof", "_swaps", "_from_swaps",
    "_rest_n", "_anchor_n", "_moves", "_same_n", "_sure", "_radio_n", "_manner", "_sudden",
)  # fmt: skip
_NUMBERS = (
    "_noise_fine", "_score", "_car", "_anchor_ms", "_rest_ms", "_episode_ms", "_sparse_ms", "_peak", "_bend",
    "_unrest", "_same_ms", "_radio_free", "_radio_mean", "_radio_last", "_doubt_ms",
)  # fmt: skip
_VECTORS = ("_fast", "_rest", "_empty", "_from", "_from_empty", "_anchor", "_peak_at", "_last")
_SIZE = 1 + len(_BYTES) + 4 * len(_NUMBERS) + 12 * len(_VECTORS) + 7 + _PLATEAUS_SIZE + 4


class Parking:
    """The detector of one bay. `state` is UNKNOWN, FREE or OCCUPIED, `confidence` in percent, `busy` while something moves."""

    def __init__(self, saved=None):
        """Begin anew, or go on from `dumps()`; anything that is not such a record begins anew."""
        self.state = FREE
        self.confidence = 50
        self.busy = False
        self._held = FREE
        self._sure = 50
        self._started = False
        self._noise = _FIRST_NOISE_NT
        self._noise_fine = _FIRST_NOISE_NT << FINE
        self._line = FixedLine()
        self._plateaus = Plateaus(self._line)
        # 1/64 nT: the moving average, the resting field.
        self._fast = [0, 0, 0]
        self._rest = [0, 0, 0]
        self._rest_n = 0
        # nT, from the resting field: the empty bay's field; the field and the empty field before the episode.
        self._empty = [0, 0, 0]
        self._from = [0, 0, 0]
        self._from_empty = [0, 0, 0]
        self._from_held = FREE
        self._proof = self._from_proof = 1
        self._swaps = self._from_swaps = 0
        self._score = 0
        self._car = _CAR_UT3
        self._anchor = [0, 0, 0]
        self._anchor_n = self._anchor_ms = 0
        self._rest_ms = _LONGEST_MS
        self._episode_ms = self._sparse_ms = 0
        self._moves = self._peak = self._bend = 0
        self._peak_at = [0, 0, 0]
        self._unrest = 0
        self._doubt_ms = 0
        self._manner = _NOT_SEEN
        self._sudden = False
        self._last = [0, 0, 0]
        self._same_n = self._same_ms = 0
        # 1/16 dBm; 0 is not known yet.
        self._radio_free = self._radio_mean = self._radio_last = self._radio_n = 0
        if saved is not None:
            self._restore(saved)

    def step(self, dt_ms, x_nt, y_nt, z_nt, temp_c100, rssi_dbm=None):
        """Take a sample that came `dt_ms` after the one before; return whether the state changed."""
        before = self.state
        saturated = max(abs(x_nt), abs(y_nt), abs(z_nt)) >= _FULL_SCALE_NT
        dt_ms = self._news(max(1, min(dt_ms, _LONGEST_MS)), saturated, x_nt, y_nt, z_nt)
        if not saturated:
            if not self._started:
                self._begin(x_nt, y_nt, z_nt)
            self._take(dt_ms, x_nt, y_nt, z_nt)
            if rssi_dbm is not None and not self.busy and rssi_dbm != self._radio_last:
                self._hear(rssi_dbm)
        self.state = self._held
        self.confidence = self._sure
        if self._same_n >= _STUCK_SAMPLES and self._same_ms >= (_BLIND_MS if saturated else _STUCK_MS):
            self.state = UNKNOWN
            self.confidence = 0
        return self.state != before

    def _news(self, dt_ms, saturated, x, y, z):
        # Returns the time since the field was last known: a chip that said the same thing over and over did not measure.
        last = self._last
        if saturated:
            self._same_n = _STUCK_SAMPLES
        elif x == last[0] and y == last[1] and z == last[2]:
            self._same_n = min(self._same_n + 1, _STUCK_SAMPLES)
        else:
            if self._same_n >= _STUCK_SAMPLES:
                dt_ms = min(dt_ms + self._same_ms, _LONGEST_MS)
            self._same_n = self._same_ms = 0
            last[0] = x
            last[1] = y
            last[2] = z
            return dt_ms
        self._same_ms = min(self._same_ms + dt_ms, _LONGEST_MS)
        return dt_ms

    def _begin(self, x, y, z):
        for average in (self._fast, self._rest):
            average[0] = x << FINE
            average[1] = y << FINE
            average[2] = z << FINE
        self._started = True

    def _take(self, dt_ms, x, y, z):
        fast = self._fast
        rest = self._rest
        weight = share(dt_ms, _FOLLOW_MS)
        fast[0] = toward(fast[0], x, weight)
        fast[1] = toward(fast[1], y, weight)
        fast[2] = toward(fast[2], z, weight)
        if not self.busy:
            away = self._line.reach(
                clip_nt(fast[0] - rest[0] >> FINE),
                clip_nt(fast[1] - rest[1] >> FINE),
                clip_nt(fast[2] - rest[2] >> FINE),
            )
            # The average of few samples is as noisy as one: five and a half deviations either way.
            noise = self._noise * (16384 + 5 * weight // 2 >> 4) >> 10
            drift = 0 if dt_ms < _GAP_MS else min((dt_ms - _GAP_MS) * _DRIFT_NT_PER_S // 1000, _MOST_DRIFT_NT)
            if away <= max(_ACTIVE_NT, noise) + drift:
                self._drift(dt_ms, x, y, z)
                return
            self._open(x, y, z)
        self._stir(dt_ms, x, y, z)

    def _drift(self, dt_ms, x, y, z):
        # What changes quietly is temperature: the empty field and all places go with it, under a car too.
        rest = self._rest
        off = self._line.reach(
            clip_nt(x - (rest[0] >> FINE)), clip_nt(y - (rest[1] >> FINE)), clip_nt(z - (rest[2] >> FINE))
        )
        limit = min(2 * self._noise + 8, _MOST_NOISE_NT)
        self._noise_fine = toward(self._noise_fine, min(off, limit), min(share(dt_ms, _NOISE_MS), 2048))
        self._noise = self._noise_fine >> FINE
        weight = share(dt_ms, _TRACK_MS)
        if self._rest_n < 32:
            self._rest_n += 1
            weight = max(weight, 16384 // self._rest_n)
        rest[0] = toward(rest[0], x, weight)
        rest[1] = toward(rest[1], y, weight)
        rest[2] = toward(rest[2], z, weight)
        self._rest_ms = min(self._rest_ms + dt_ms, _LONGEST_MS)
        if self._doubt_ms:
            self._wait_out(dt_ms)

    def _wait_out(self, dt_ms):
        # A step with nothing before it was told as a car. What has not driven off by now was a magnet, or the ground.
        self._doubt_ms = max(0, self._doubt_ms - dt_ms)
        if not self._doubt_ms and self._sudden and self._held == OCCUPIED:
            self._free()
            self._sure = 50

    def _open(self, x, y, z):
        self.busy = True
        if self._rest_ms > _JOIN_MS:
            self._file()
            for i in (0, 1, 2):
                self._from[i] = 0
                self._from_empty[i] = self._empty[i]
            self._from_held = self._held
            self._from_proof = self._proof
            self._from_swaps = self._swaps
            self._peak = self._bend = self._moves = self._sparse_ms = self._score = 0
            self._peak_at[0] = self._peak_at[1] = self._peak_at[2] = 0
        self._unrest -= self._unrest * (min(self._rest_ms, _FORGET_MS) // 100) // (_FORGET_MS // 100)
        unrest = self._unrest >> 6
        self._car = min(max(_CAR_UT3, unrest * unrest * unrest * 2 // _ONE_UT3), _MOST_CAR_UT3)
        self._episode_ms = 0
        self._drop_anchor(x, y, z)

    def _file(self):
        """Remember what the last episode left behind, now that nothing more can change what it was."""
        f = self._from
        e = self._from_empty
        if self._reach(f) <= _LEAST_STEP_NT + self._noise or self._score < 0:
            return
        if self._score < self._car // 2:
            # A neighbour: all places lie beside it now.
            self._plateaus.shift(-f[0], -f[1], -f[2])
        elif self._from_held == FREE:
            self._plateaus.keep(f[0], f[1], f[2], self._from_proof)
        else:
            if self._score >= self._car:
                self._plateaus.keep(f[0], f[1], f[2], 1)
            if self._held == OCCUPIED:
                # The empty field was either carried along or not: remember the other one too.
                if self._score >= _SURE_UT3:
                    self._plateaus.keep(e[0] - f[0], e[1] - f[1], e[2] - f[2], self._from_proof)
                else:
                    self._plateaus.keep(e[0], e[1], e[2], self._from_proof)

    def _drop_anchor(self, x, y, z):
        self._anchor[0] = x
        self._anchor[1] = y
        self._anchor[2] = z
        self._anchor_n = 1
        self._anchor_ms = 0

    def _stir(self, dt_ms, x, y, z):
        self._episode_ms = min(self._episode_ms + dt_ms, _LONGEST_MS)
        self._sparse_ms = max(self._sparse_ms, dt_ms)
        self._measure(x, y, z)
        anchor = self._anchor
        n = self._anchor_n
        off = self._line.reach(
            clip_nt(x - anchor[0] // n), clip_nt(y - anchor[1] // n), clip_nt(z - anchor[2] // n)
        )
        band = max(_ACTIVE_NT, 7 * self._noise >> 1)
        if off > band + band * (self._episode_ms // 1000) // _WIDEN_S:
            self._drop_anchor(x, y, z)
            self._moves = min(self._moves + 1, 255)
            return
        if self._episode_ms > dt_ms:
            self._anchor_ms += dt_ms
            if n < 64:
                anchor[0] += x
                anchor[1] += y
                anchor[2] += z
                self._anchor_n += 1
        patience = max(0, self._unrest - _CALM_NT) * _UNREST_MS_PER_NT
        if self._anchor_n >= 2 and self._anchor_ms >= _SETTLE_MS + patience:
            self._settle()

    def _measure(self, x, y, z):
        rest = self._rest
        x = clip_nt(x - (rest[0] >> FINE)) - self._from[0]
        y = clip_nt(y - (rest[1] >> FINE)) - self._from[1]
        z = clip_nt(z - (rest[2] >> FINE)) - self._from[2]
        at = self._peak_at
        self._bend = max(self._bend, across(x, y, z, at[0], at[1], at[2]))
        self._peak = max(self._peak, self._line.reach(x, y, z))
        if length(x, y, z) > length(at[0], at[1], at[2]):
            at[0] = x
            at[1] = y
            at[2] = z

    def _settle(self):
        self.busy = False
        n = self._anchor_n
        rest = self._rest
        anchor = self._anchor
        x = clip_nt(anchor[0] // n - (rest[0] >> FINE))
        y = clip_nt(anchor[1] // n - (rest[1] >> FINE))
        z = clip_nt(anchor[2] // n - (rest[2] >> FINE))
        self._move(0, x)
        self._move(1, y)
        self._move(2, z)
        self._plateaus.shift(x, y, z)
        self._rest_n = min(n, 32)
        self._rest_ms = 0
        before = self._held
        self._judge()
        self._trust(before)

    def _trust(self, before):
        score = self._score
        if self._held != before:
            self._sure = min(99, 60 + score * 39 // (8 * _SURE_UT3))
            self._learn_manner()
        elif (
            self._car // 2 <= score < 8 * _SURE_UT3 and self._reach(self._from) > _LEAST_STEP_NT + self._noise
        ):
            # Nearly a car, or a car where one stood already: either may have been mistaken.
            self._sure = max(50, self._sure - 10)

    def _learn_manner(self):
        """Do cars here bend the field, as iron that rolls over the chip does, or do they come in one step?"""
        stood_ms = _DOUBT_MS - self._doubt_ms
        doubted, self._doubt_ms = self._doubt_ms, 0
        if self._held == FREE:
            if doubted and stood_ms < _SHORT_MS and self._moves >= _DRIVEN_MOVES:
                # Straight there and straight back within the time a tram takes to start.
                self._line.learn(self._peak_at[0], self._peak_at[1], self._peak_at[2])
            elif doubted and self._sudden:
                self._manner = _IN_STEPS
        elif self._is_bent():
            self._manner = _BENDING
        elif self._sparse_ms <= _SPARSE_MS:
            self._doubt_ms = _DOUBT_MS
            self._sudden = self._manner == _NOT_SEEN and self._moves < _DRIVEN_MOVES
            self._sure = 50 if self._sudden else 60

    def _is_bent(self):
        return self._bend > 2 * self._noise + min(self._peak, _MOST_NT) // _STRAIGHT

    def _move(self, i, by):
        self._rest[i] += by << FINE
        self._fast[i] = self._rest[i]
        self._from[i] -= by
        self._from_empty[i] -= by

    def _reach(self, vector):
        return self._line.reach(vector[0], vector[1], vector[2])

    def _judge(self):
        f = self._from
        e = self._from_empty
        step = self._reach(f)
        score = self._score = self._weigh(step)
        clear = step > _LEAST_STEP_NT + self._noise + max(0, self._unrest - _CALM_NT) // 4
        if not clear and (self._from_held == FREE or score < _SURE_UT3):
            self._keep_state()
            return
        self._radio_n = 0
        proof = self._from_proof
        here = self._plateaus.find(0, 0, 0, min(NEAR_NT, step // 3))
        again = self._plateaus.again(here) if here >= 0 and (score >= _SURE_UT3 or self._undoes(here)) else 0
        if self._from_held == FREE:
            if score < self._car:
                self._keep_state()
            elif again > proof:
                self._proof = min(again, _MOST_PROOF)
                self._free()
            else:
                self._proof = proof
                self._occupy(f[0], f[1], f[2])
            return
        if self._is_empty_again(step, score):
            self._proof = min(proof + 1, _MOST_PROOF)
            self._free()
            # The bay is empty beyond doubt: what moves next is another episode.
            self._rest_ms = _JOIN_MS + 1
        elif again > proof:
            self._proof = min(again, _MOST_PROOF)
            self._free()
        elif score >= _SURE_UT3:
            # Cars seldom follow each other without a gap: after the second time, the field between them was the empty one.
            if here >= 0:
                # Back where it was: something large stood beside the bay meanwhile.
                self._swaps = 0
                self._occupy(e[0], e[1], e[2])
            elif self._from_swaps:
                self._swaps = 0
                self._proof = 1
                self._occupy(f[0], f[1], f[2])
            else:
                self._occupy(e[0], e[1], e[2])
                self._swaps = 1
        else:
            self._keep_state()

    def _undoes(self, here):
        return self._from_held == FREE and self._plateaus.is_latest(here)

    def _is_empty_again(self, step, score):
        f = self._from
        e = self._from_empty
        away = self._reach(e)
        stood = self._line.reach(f[0] - e[0], f[1] - e[1], f[2] - e[2])
        if away >= step:
            return False
        calm = self._unrest < _CALM_NT // 3
        surely = self._noise // 4 + stood * (2 * _SURELY_PERCENT if calm else _SURELY_PERCENT) // 100
        if stood > _NEIGHBOUR_NT and away < min(surely, _NEIGHBOUR_NT):
            return True
        near = min(self._noise // 2 + stood * _NEAR_PERCENT // 100, _NEAR_MOST_NT)
        if self._has_driven(score):
            near = max(near, _NEIGHBOUR_NT + self._unrest)
        elif away > step * _NEARER_PERCENT // 100:
            return False
        elif score >= 2 * self._car:
            near += near // 3
        return away < near and (score >= self._car // 4 or self._sure < _WEAK)

    def _has_driven(self, score):
        # Iron passed over the sensor, whatever it left behind.
        passed = (min(self._peak, _MOST_NT) >> 6) * (min(self._bent(), _MOST_NT) >> 6)
        return score >= _SURE_UT3 or passed >= _PASSED

    def _keep_state(self):
        """The episode was no car of this bay: the empty field went along with it."""
        f = self._from
        e = self._from_empty
        self._proof = self._from_proof
        self._held = self._from_held
        self._swaps = self._from_swaps
        if self._held == FREE:
            self._free()
        else:
            self._occupy(e[0] - f[0], e[1] - f[1], e[2] - f[2])
        peak = length(self._peak_at[0], self._peak_at[1], self._peak_at[2])
        if self._reach(f) < 4000:
            self._unrest += (min(self._peak, _MOST_NT) - self._unrest) // 8
        if self._bend * 10 < peak and peak > 3000 + 3 * self._noise:
            self._line.learn(self._peak_at[0], self._peak_at[1], self._peak_at[2])

    def _free(self):
        self._held = FREE
        self._swaps = 0
        self._empty[0] = self._empty[1] = self._empty[2] = 0

    def _occupy(self, x, y, z):
        self._held = OCCUPIED
        self._empty[0] = x
        self._empty[1] = y
        self._empty[2] = z

    def _is_open(self):
        return self._score < _SURE_UT3 or self._held == self._from_held

    def _hear(self, rssi_dbm):
        """A car over the antenna takes 10 to 15 dB; fading is 4 dB an uplink. The radio speaks when the field hardly did."""
        self._radio_last = rssi_dbm
        n = self._radio_n = min(self._radio_n + 1, _RADIO_MOST)
        if n == 1:
            # It may have been sent before the field came to rest.
            return
        self._radio_mean += ((rssi_dbm << 4) - self._radio_mean) // (n - 1)
        if n < _RADIO_LEAST:
            return
        if not self._radio_free:
            if n == _RADIO_MOST and self._held == FREE:
                self._radio_free = self._radio_mean
            return
        louder = self._radio_mean - self._radio_free
        if self._held == FREE:
            if (
                louder < -_RADIO_CAR
                and self._is_open()
                and self._reach(self._from) > _LEAST_STEP_NT + self._noise
            ):
                self._score = _SURE_UT3
                self._sure = 70
                self._occupy(self._from[0], self._from[1], self._from[2])
            elif n == _RADIO_MOST and self._from_held == OCCUPIED and self._score >= _SURE_UT3:
                self._radio_free += louder // _RADIO_MOST
        elif louder > _RADIO_CAR:
            # What was taken for empty at first was not.
            self._radio_free = self._radio_mean
            self._free()

    def _bent(self):
        return self._bend - 2 * self._noise - min(self._peak, _MOST_NT) // _STRAIGHT

    def _weigh(self, step):
        bend = max(self._noise // 8, self._bent())
        if self._moves < _FEW_MOVES and self._sparse_ms > _SPARSE_MS:
            bend = max(bend, _UNSEEN_BEND_NT)
        elif self._from_held == FREE and step > _STRAIGHT_STEP_NT and self._is_believed():
            bend = max(bend, _STRAIGHT_BEND_NT)
        area = (min(step, _MOST_NT) >> 6) * (min(self._peak, _MOST_NT) >> 6)
        return area * (min(bend, _MOST_NT) >> 6) // _ONE_UT3

    def _is_believed(self):
        return self._moves >= _DRIVEN_MOVES or self._manner != _BENDING

    def dumps(self):
        """Return all that must be remembered, 250 bytes."""
        record = bytearray(_SIZE)
        record[0] = _VERSION
        at = 1
        for name in _BYTES:
            record[at] = getattr(self, name)
            at += 1
        for name in _NUMBERS:
            struct.pack_into("<i", record, at, getattr(self, name))
            at += 4
        for name in _VECTORS:
            struct.pack_into("<iii", record, at, *getattr(self, name))
            at += 12
        line = self._line
        struct.pack_into("<hhhB", record, at, line.x, line.y, line.z, line.seen | line.sure << 7)
        self._plateaus.pack_into(record, at + 7)
        struct.pack_into("<I", record, _SIZE - 4, binascii.crc32(record[:-4]) & 0xFFFFFFFF)
        return bytes(record)

    def _restore(self, saved):
        if len(saved) != _SIZE or saved[0] != _VERSION:
            return
        if struct.unpack_from("<I", saved, _SIZE - 4)[0] != binascii.crc32(saved[:-4]) & 0xFFFFFFFF:
            return
        at = 1
        for name in _BYTES:
            setattr(self, name, saved[at])
            at += 1
        self.busy = bool(self.busy)
        for name in _NUMBERS:
            setattr(self, name, struct.unpack_from("<i", saved, at)[0])
            at += 4
        for name in _VECTORS:
            vector = getattr(self, name)
            vector[0], vector[1], vector[2] = struct.unpack_from("<iii", saved, at)
            at += 12
        self._noise = self._noise_fine >> FINE
        line = self._line
        line.x, line.y, line.z, seen = struct.unpack_from("<hhhB", saved, at)
        line.seen, line.sure = seen & 127, seen >> 7
        self._plateaus.unpack_from(saved, at + 7)
