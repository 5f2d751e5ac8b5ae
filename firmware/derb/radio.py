"""What the node's own radio says of the bay.

A car over the antenna takes 10 to 15 dB (PNI PlacePod manual); fading is 4 dB an uplink.
"""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


# 1/16 dB.
_CAR = const(192)
_LEAST = const(6)  # uplinks before a level is believed
_MOST_UPLINKS = const(16)  # that the mean is taken of
# So much louder than an empty bay: 7 dB.
_UNCOVERED = const(112)
# So many uplinks until a radio that knows both levels believes that: fading makes 7 dB of three now and then.
_SURELY = const(6)
_NEWLY = const(8)
_LEFT = const(-400)
_MOST_KNOWN = const(63)
_SEEN_BIT = const(64)
_LEFT_BIT = const(128)
_FREE_SURE = const(-64)  # 1/64 nats
_TAKEN_SURE = const(256)
_MOST_FOR = const(448)
_MOST_AGAINST = const(-160)
# While it has heard one level alone: that may be what comes through the car it was installed under.
_ONE_LEVEL = const(-40)
_FADED = const(48)  # 3 dB: the mean of the last uplinks wanders by one
# dB^2: fading, of which many uplinks have the less; cars beside the bay, of which they have not.
_FADING = const(16)
_BESIDE = const(4)
_FORM = "<hhhBB"
SIZE = 8


class Radio:
    """`evidence`: by how much, in 1/64 nats, the signal since the field came to rest speaks for a car over the antenna."""

    def __init__(self):
        self._free = 0  # 1/16 dBm when nothing stands there; 0 is not known yet
        self._mean = 0
        self._last = 0
        self._n = 0
        self._known = 0
        self._seen = False
        self.left = False
        self.evidence = 0

    def begin(self):
        """Something has moved: the signal begins anew."""
        self._n = self._mean = self.evidence = 0
        self.left = False

    def hear(self, rssi_dbm, lean):
        """Take the signal of the last uplink, dBm; `lean` is how much the field alone speaks for a car."""
        if rssi_dbm == self._last:
            return
        self._last = rssi_dbm
        self._n = min(self._n + 1, 255)
        if self._n == 1:
            return  # it may have been sent before the field came to rest
        level = max(-2400, min(2400, rssi_dbm << 4))
        self._mean += (level - self._mean) // min(self._n - 1, _MOST_UPLINKS)
        if self._known >= _LEAST and self._n > 2:
            self._weigh(self._mean - self._free)
        self._learn(level, lean)

    def _weigh(self, louder):
        # Two normal distributions, 12 dB apart: the likelihood ratio of their mean so far.
        if louder > _UNCOVERED and self._n > (_SURELY if self._seen else 3):
            # What was taken for an empty bay's level was heard through a car.
            self._free = self._mean
            self._known = min(self._known, _NEWLY)
            self.left = self._seen = True
            louder = 0
        elif louder < -_UNCOVERED and self._n > 3:
            self._seen = True
        variance = (_BESIDE << 4) + (_FADING << 4) // min(self._n - 1, _MOST_UPLINKS)
        ratio = -(2 * louder + _CAR) * (_CAR >> 4) * 64 // (2 * variance)
        if ratio < 0 and louder < -(_CAR >> 2):
            ratio = 0  # a motorcycle takes little
        elif ratio < 0 and not self._seen:
            ratio = max(ratio, _ONE_LEVEL)
        self.evidence = max(_LEFT if self.left else _MOST_AGAINST, min(_MOST_FOR, ratio))

    def _learn(self, level, lean):
        if lean < _FREE_SURE and self.evidence <= 0 and not self._fades():
            self._known = n = min(self._known + 1, _MOST_KNOWN)
            self._free += (level - self._free + (n >> 1)) // n
        elif lean > _TAKEN_SURE and self.evidence >= 0 and self._known >= _LEAST:
            self._free += (level + _CAR - self._free + 32) // 64

    def _fades(self):
        # Since the field came to rest it is not so loud any more: a car that nobody saw come must not be learnt as an empty bay.
        return self._known >= _LEAST and self._n > 4 and self._mean - self._free < -_FADED

    def pack_into(self, record, offset):
        """Write SIZE bytes."""
        known = self._known | (_SEEN_BIT if self._seen else 0) | (_LEFT_BIT if self.left else 0)
        struct.pack_into(_FORM, record, offset, self._free, self._mean, self._last, self._n, known)

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`."""
        self._free, self._mean, self._last, self._n, known = struct.unpack_from(_FORM, record, offset)
        self._known = known & _MOST_KNOWN
        self._seen = known & _SEEN_BIT != 0
        self.left = known >= _LEFT_BIT
        self.evidence = 0
        if self._known >= _LEAST and self._n > 2:
            self._weigh(self._mean - self._free)
