"""Whether a bay is taken, from the magnetic field: samples in, a state out. Integers only, no hardware.

The field of an empty bay wanders with temperature by as much as a car changes it, so no threshold on the field itself
can work. What a car does and temperature does not is *move*: quiet changes are followed, parked or not, and only what happens
between two quiet times, an episode, may change the state. Each episode is read in every way it can be read, and several
suppositions about the bay are carried along until one foretells the field better than the others.
"""

import binascii
import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.episodes import ENDED, QUIET, Episodes
from derb.episodes import SIZE as _EPISODES_SIZE
from derb.radio import SIZE as _RADIO_SIZE
from derb.radio import Radio
from derb.suppositions import SIZE as _SUPPOSITIONS_SIZE
from derb.suppositions import Suppositions

UNKNOWN = const(0)
FREE = const(1)
OCCUPIED = const(2)

# 1/64 nats. Below this the odds are worse than three to two.
_TOLD = const(24)
# However surely the bay was left, a car may have come unseen: one time in 500.
_UNSEEN = const(-400)
_CONFIDENCE = (50, 62, 73, 81, 88, 92, 95, 97, 98, 99)  # percent, for each half nat
# The resting field is known better and better for so long.
_REFINE_MS = const(25000)
_LONGEST_MS = const(1 << 22)
# Earth, a car and a node's own iron together stay below 0.3 mT; the least full scale of the chips is 0.4 mT.
_FULL_SCALE_NT = const(390000)
_BLIND_MS = const(60000)
# A living chip's noise changes the last digit; one that does not is looked at again when it does.
_STUCK_SAMPLES = const(60)
_STUCK_MS = const(600000)

_VERSION = const(6)
_FORM = "<BBBii"
_HEAD_SIZE = const(11)
_SIZE = _HEAD_SIZE + _SUPPOSITIONS_SIZE + _EPISODES_SIZE + _RADIO_SIZE + 4


class Parking:
    """The detector of one bay. `state` is UNKNOWN, FREE or OCCUPIED, `confidence` in percent."""

    def __init__(self, saved=None, lost_power=False):
        """Begin anew, or go on from `dumps()`; anything that is not such a record begins anew.

        `lost_power`: the record is older than the last sample, and nobody knows by how much.
        """
        self._suppositions = Suppositions()
        self._episodes = Episodes(self._suppositions.place)
        self._radio = Radio()
        self._started = False
        self._same = self._same_n = self._same_ms = 0
        self._reopen = False
        if saved is not None and self._restore(saved):
            self._reopen = lost_power and self._started
            if lost_power:
                self._same_n = self._same_ms = 0
        self._lean = self._suppositions.lean()
        self._decide(False)

    @property
    def busy(self):
        """Whether something moves."""
        return self._episodes.busy

    def step(self, dt_ms, x_nt, y_nt, z_nt, temp_c100, rssi_dbm=None):
        """Take a sample that came `dt_ms` after the one before; return whether the state changed."""
        before = self.state
        saturated = max(abs(x_nt), abs(y_nt), abs(z_nt)) >= _FULL_SCALE_NT
        dt_ms = self._news(max(1, min(dt_ms, _LONGEST_MS)), saturated, x_nt, y_nt, z_nt)
        if not saturated:
            self._take(dt_ms, x_nt, y_nt, z_nt)
            if rssi_dbm is not None and not self._episodes.busy:
                self._radio.hear(rssi_dbm, self._lean)
        self._decide(saturated)
        return self.state != before

    def _take(self, dt_ms, x, y, z):
        episodes = self._episodes
        if not self._started:
            episodes.begin(x, y, z)
            self._started = True
        elif self._reopen:
            episodes.reopen(x, y, z)
            self._reopen = False
        what = episodes.take(dt_ms, x, y, z)
        if what == ENDED:
            self._suppositions.hear(self._radio.evidence)
            self._radio.begin()
            self._suppositions.weigh(episodes, episodes.quiet_ms)
            self._lean = self._suppositions.lean()
        elif what == QUIET and episodes.rest_ms < _REFINE_MS:
            step = episodes.step
            self._suppositions.refine(step[0], step[1], step[2])

    def _news(self, dt_ms, saturated, x, y, z):
        # Returns the time since the field was last known: a chip that said the same thing over and over did not measure.
        same = x & 0xFFFFF ^ (y & 0xFFFFF) << 5 ^ (z & 0xFFFFF) << 10
        if saturated:
            self._same_n = _STUCK_SAMPLES
        elif same == self._same:
            self._same_n = min(self._same_n + 1, _STUCK_SAMPLES)
        else:
            if self._same_n >= _STUCK_SAMPLES:
                dt_ms = min(dt_ms + self._same_ms, _LONGEST_MS)
            self._same = same
            self._same_n = self._same_ms = 0
            return dt_ms
        self._same_ms = min(self._same_ms + dt_ms, _LONGEST_MS)
        return dt_ms

    def _decide(self, saturated):
        lean = max(self._lean, _UNSEEN) + self._radio.evidence
        if abs(lean) < _TOLD:
            self.state = UNKNOWN
        else:
            self.state = OCCUPIED if lean > 0 else FREE
        self.confidence = _CONFIDENCE[min(abs(lean) >> 5, 9)]
        if self._same_n >= _STUCK_SAMPLES and self._same_ms >= (_BLIND_MS if saturated else _STUCK_MS):
            self.state = UNKNOWN
            self.confidence = 0

    def dumps(self):
        """Return all that must be remembered, at most 256 bytes."""
        record = bytearray(_SIZE)
        struct.pack_into(_FORM, record, 0, _VERSION, self._started, self._same_n, self._same, self._same_ms)
        at = _HEAD_SIZE
        self._suppositions.pack_into(record, at)
        self._episodes.pack_into(record, at + _SUPPOSITIONS_SIZE)
        self._radio.pack_into(record, at + _SUPPOSITIONS_SIZE + _EPISODES_SIZE)
        struct.pack_into("<I", record, _SIZE - 4, binascii.crc32(record[:-4]) & 0xFFFFFFFF)
        return bytes(record)

    def _restore(self, saved):
        if len(saved) != _SIZE or saved[0] != _VERSION:
            return False
        if struct.unpack_from("<I", saved, _SIZE - 4)[0] != binascii.crc32(saved[:-4]) & 0xFFFFFFFF:
            return False
        _, started, self._same_n, self._same, self._same_ms = struct.unpack_from(_FORM, saved, 0)
        self._started = bool(started)
        at = _HEAD_SIZE
        self._suppositions.unpack_from(saved, at)
        self._episodes.unpack_from(saved, at + _SUPPOSITIONS_SIZE)
        self._radio.unpack_from(saved, at + _SUPPOSITIONS_SIZE + _EPISODES_SIZE)
        return True
