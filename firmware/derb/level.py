"""Fill level from ultrasonic echoes: pings in, a distance or a reason why there is none out. Integers only, no hardware.

The rule above all: what is not a good echo is never turned into a distance. An unplugged sensor is `no_echo`, not an
empty container; a bag on the sensor is `too_close`, not a full one.
"""

import binascii
import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb import fixed_echoes
from derb.echoes import (
    AIR_HIGH_C100,
    AIR_LOW_C100,
    APART_MM,
    GAP_MM,
    LEAST,
    WINDOW_MM,
    distance_mm,
    groups,
    twice,
)
from derb.fixed_echoes import FixedEchoes

NO_START = const(-1)
NO_END = const(-2)

OK = "ok"
TOO_CLOSE = "too_close"
TOO_FAR = "too_far"
NO_ECHO = "no_echo"
UNSTABLE = "unstable"

# 5 to 6 m are claimed for the JSN-SR04T; what comes later is a pin that nobody pulled down.
REACH_MM = const(6000)
# Installers put "full" 3 cm or more outside the blind zone; where that ends is not known better without the ranger's name.
_ABOVE_FULL_MM = const(20)
_LEAST_BLIND_MM = const(20)  # HC-SR04, the shortest of all
_LOW_X10 = const(250)
_PATIENCE = const(
    3
)  # readings in doubt before a higher surface counts though the old one still answers a little
_STUBBORN = const(24)  # the same for a leap onto a place where a wall is known to be
_AIR_USUAL_C100 = const(2000)

_LAYOUT = "<BHHBh" + fixed_echoes.LAYOUT  # version, last, candidate, doubts, air, fixed places
_VERSION = const(1)
SAVED_SIZE = const(18)


class Level:
    """Readings of one container whose floor is `empty_mm` and whose brim is `full_mm` away from the sensor.

    `blind_mm`, `reach_mm`: the ranger's, where known; `fill_x10(mm)`: level in 1/10 %, where not a straight line between
    the two; `saved`: what `dumps` returned, or anything else for a fresh start.
    """

    def __init__(self, empty_mm, full_mm, blind_mm=None, reach_mm=REACH_MM, fill_x10=None, saved=None):
        if not 0 <= full_mm < empty_mm:
            raise ValueError("full_mm must be less than empty_mm")
        self._empty_mm = empty_mm
        self._full_mm = full_mm
        self._near_mm = max(_LEAST_BLIND_MM, full_mm - _ABOVE_FULL_MM) if blind_mm is None else blind_mm
        self._reach_mm = reach_mm
        # Floors have dents and thermometers stand in the sun: 3 cm and 6 %.
        self._floor_mm = empty_mm + 30 + empty_mm // 16
        # What one load of refuse hardly does between two readings: looked at twice.
        self._jump_mm = max(200, (empty_mm - full_mm) * 3 // 10)
        self._fill_x10 = fill_x10
        self._last_mm = self._candidate_mm = self._doubts = 0
        self._air_c100 = _AIR_USUAL_C100
        self._fixed = FixedEchoes()
        if saved is not None:
            self._restore(saved)

    def measure(self, echoes_us, temp_c100, again=False):
        """Return (status, distance_mm, level in 1/10 %) of one reading's pings; the last two are None unless status is `ok`.

        `again`: the pings are of two bursts, taken because the first was in doubt.
        """
        if AIR_LOW_C100 <= temp_c100 <= AIR_HIGH_C100:
            self._air_c100 = temp_c100
        near, good, far = self._sorted(echoes_us)
        status, mm = self._judge(near, good, far, len(echoes_us), again)
        if status != OK:
            self._doubts = min(255, self._doubts + 1)
            return status, None, None
        self._last_mm, self._doubts, self._candidate_mm = mm, 0, 0
        level_x10 = self.level_x10(mm)
        if level_x10 < _LOW_X10:
            self._fixed.learn([at for at in near + good if at < mm - APART_MM])
        return OK, mm, level_x10

    def in_doubt(self, echoes_us, temp_c100):
        """Return whether another burst of pings should be taken before the reading is believed. Changes nothing."""
        kept = self.dumps()
        before_mm = self._last_mm
        status, mm, _ = self.measure(echoes_us, temp_c100)
        self._restore(kept)
        return status == UNSTABLE or status == OK and before_mm != 0 and abs(mm - before_mm) > self._jump_mm

    def level_x10(self, mm):
        """Return the fill level in 1/10 % for a surface at `mm`, 0 to 1000."""
        if self._fill_x10 is not None:
            return self._fill_x10(mm)
        depth = self._empty_mm - self._full_mm
        return max(0, min(1000, ((self._empty_mm - mm) * 1000 + depth // 2) // depth))

    def dumps(self):
        """Return the memory as bytes."""
        head = struct.pack(
            _LAYOUT,
            _VERSION,
            self._last_mm,
            self._candidate_mm,
            self._doubts,
            self._air_c100,
            *self._fixed.slots,
        )
        return head + self._check(head)

    def _restore(self, saved):
        head = bytes(saved[:-4])
        if len(saved) != SAVED_SIZE or head[0] != _VERSION or bytes(saved[-4:]) != self._check(head):
            return
        _, self._last_mm, self._candidate_mm, self._doubts, self._air_c100, *slots = struct.unpack(
            _LAYOUT, head
        )
        self._fixed = FixedEchoes(slots)

    def _check(self, head):
        # With the geometry in it: after a new calibration the old surface means nothing.
        seed = binascii.crc32(struct.pack("<HH", self._empty_mm & 0xFFFF, self._full_mm & 0xFFFF))
        return struct.pack("<I", binascii.crc32(head, seed) & 0xFFFFFFFF)

    def _sorted(self, echoes_us):
        near, good, far = [], [], []
        longest_us = self._reach_mm * 7  # at -40 degrees a millimetre there and back takes 6.6 us
        for echo_us in echoes_us:
            if not 0 <= echo_us < longest_us:
                continue
            mm = distance_mm(echo_us, self._air_c100)
            if mm < self._near_mm:
                near.append(mm)
            elif mm <= min(self._floor_mm, self._reach_mm):
                good.append(mm)
            elif mm <= self._reach_mm:
                far.append(mm)
        near.sort()
        good.sort()
        return near, good, far

    def _judge(self, near, good, far, pings, again):
        returned = len(near) + len(good) + len(far)
        mm, count = self._surface(near, good, returned)
        steady = count and self._continues(mm)
        if not count or not steady and (count * 3 < pings or len(near) > count):
            return self._reason(near, good + far, len(far), pings), None
        if self._last_mm - mm > GAP_MM and not self._risen(mm, good + far, returned, again):
            return UNSTABLE, None
        return OK, mm

    def _surface(self, near, good, returned):
        """Return (mm, count) of the refuse among the echoes, or (0, 0)."""
        mm, count = self._chosen(groups([at for at in good if not self._fixed.has(at)]), returned)
        if not count or count * 5 < returned and not self._continues(mm):
            mm, count = self._chosen(groups(good), returned)
        # Refuse in the blind zone is heard at twice its distance too.
        if len(near) >= LEAST and len(near) >= count and twice(mm, near[len(near) // 2]):
            return 0, 0
        return mm, count

    def _chosen(self, found, returned):
        if not found:
            return 0, 0
        main = max(found, key=lambda group: (group[1], group[0]))
        for group in found:
            if self._continues(group[0]) and twice(main[0], group[0]):
                return group
        back = found[-1]
        if back[0] - main[0] <= APART_MM or back[1] * 5 < returned or self._continues(main[0]):
            return main
        # Sound has passed what answers most: a wall or a hinge, unless the farther echo went its way twice.
        return main if twice(back[0], main[0]) and not self._continues(back[0]) else back

    def _reason(self, near, rest, far, pings):
        returned = len(near) + len(rest)
        if returned * 4 < pings or not returned:
            return NO_ECHO
        if len(near) * 2 > returned and not self._seen_past(near, rest):
            return TOO_CLOSE
        return TOO_FAR if far * 2 > returned else UNSTABLE

    def _seen_past(self, near, rest):
        """Return whether what is near stands beside the beam: the refuse behind it answers."""
        behind = [mm for mm in rest if mm > near[len(near) // 2] + APART_MM]
        return len(behind) > 1 or bool(behind) and self._continues(behind[0])

    def _risen(self, mm, rest, returned, again):
        """Return whether a surface well above the last one is to be believed, and remember the doubt if not."""
        old = 0
        for at in rest:
            if abs(at - self._last_mm) <= WINDOW_MM and at - mm > APART_MM and not twice(at, mm):
                old += 1
        high, fixed = self._last_mm - mm > self._jump_mm, self._fixed.has(mm)
        seen_again = again or mm <= self._candidate_mm + APART_MM
        patience = _STUBBORN if fixed else _PATIENCE if old else 0
        if old * 8 < returned and (not high and not fixed or seen_again and self._doubts >= patience):
            return True
        self._candidate_mm = mm
        return False

    def _continues(self, mm):
        return abs(mm - self._last_mm) <= GAP_MM
