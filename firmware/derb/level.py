"""Fill level from ultrasonic echoes: pings in, a distance or a reason why there is none out. Integers only, no hardware.

The rule above all: what is not a good echo is never turned into a distance. An unplugged sensor is `no_echo`, not an
empty container; a bag on the sensor is `too_close`, not a full one.
"""

import binascii
import struct

from micropython import const

from derb import fixed_echoes
from derb.echoes import (
    AIR_HIGH_C100,
    AIR_LOW_C100,
    APART_MM,
    GAP_MM,
    LEAST,
    WINDOW_MM,
    between,
    distance_mm,
)
from derb.fixed_echoes import FixedEchoes
from derb.surface import agree, beyond, continues, folded, surface

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
_BLIND_END_MM = const(40)  # how far out the blind limit may be told that a bag on the sensor gives
_LEAST_BLIND_MM = const(20)  # HC-SR04, the shortest of all
_LOW_X10 = const(250)
_FEW_PINGS = const(6)
_CLEAR_MM = const(40)
# Minutes in doubt before a higher surface counts though a farther one still answers a little, and the same for a leap
# onto a place where a wall is known to be.
_PATIENCE_MIN = const(90)
_STUBBORN_MIN = const(720)
_LONGEST_STEP_MIN = const(240)  # one reading is one witness, however long nobody looked
_USUAL_MIN = const(30)
# Per mille of the depth that refuse may rise unlooked at in half an hour, and in each hour more: the fullest one in
# twenty of Enevo's containers fills by 127 % a day, twice as fast at the busiest hours.
_JUMP_PM, _JUMP_PM_AN_HOUR = const(300), const(110)
_AIR_USUAL_C100 = const(2000)

# version, last, candidate, minutes in doubt and since the last distance, air, fixed places
_LAYOUT = "<BHHHBh" + fixed_echoes.LAYOUT
_VERSION = const(3)
SAVED_SIZE = const(20)


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
        self._fill_x10 = fill_x10
        self._last_mm = self._candidate_mm = self._doubt_min = self._unseen_min = 0
        self._air_c100 = _AIR_USUAL_C100
        self._fixed = FixedEchoes()
        if saved is not None:
            self._restore(saved)

    def measure(self, echoes_us, temp_c100, again=False, elapsed_s=None):
        """Return (status, distance_mm, level in 1/10 %) of one reading's pings; the last two are None unless status is `ok`.

        `again`: the pings are of two bursts, taken because the first was in doubt. `elapsed_s`: since the reading before
        it, None for half an hour: what may have risen, and how long a doubt lasts, are matters of time.
        """
        self._step_min = _step_min(elapsed_s)
        self._unseen_min = min(_LONGEST_STEP_MIN, self._unseen_min + self._step_min)
        if AIR_LOW_C100 <= temp_c100 <= AIR_HIGH_C100:
            self._air_c100 = temp_c100
        near, good, far = self._sorted(echoes_us)
        status, mm = self._judge(near, good, far, len(echoes_us), again)
        if status != OK:
            return status, None, None
        self._last_mm, self._doubt_min, self._unseen_min, self._candidate_mm = mm, 0, 0, 0
        level_x10 = self.level_x10(mm)
        passed = between(near + good, 0, mm - GAP_MM)
        if level_x10 < _LOW_X10 or len(passed) >= LEAST:
            self._fixed.learn(passed)
        return OK, mm, level_x10

    def in_doubt(self, echoes_us, temp_c100, elapsed_s=None):
        """Return whether another burst of pings should be taken before the reading is believed. Changes nothing."""
        status, mm = self.glance(echoes_us, temp_c100, elapsed_s)
        jump_mm = self._jump_mm(self._unseen_min + _step_min(elapsed_s))
        return status == UNSTABLE or status == OK and self._last_mm != 0 and abs(mm - self._last_mm) > jump_mm

    def glance(self, echoes_us, temp_c100, elapsed_s=None):
        """Return (status, distance_mm) as `measure` would. Changes nothing."""
        kept = self.dumps()
        status, mm, _ = self.measure(echoes_us, temp_c100, False, elapsed_s)
        self._restore(kept)
        return status, mm

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
            self._doubt_min,
            self._unseen_min,
            self._air_c100,
            *self._fixed.slots,
        )
        return head + self._check(head)

    def _restore(self, saved):
        head = bytes(saved[:-4])
        if len(saved) != SAVED_SIZE or head[0] != _VERSION or bytes(saved[-4:]) != self._check(head):
            return
        _, self._last_mm, self._candidate_mm, self._doubt_min, self._unseen_min, self._air_c100, *slots = (
            struct.unpack(_LAYOUT, head)
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
        far.sort()
        return (near,) + folded(good, far, self._fixed, self._last_mm)

    def _judge(self, near, good, far, pings, again):
        returned = len(near) + len(good) + len(far)
        least = LEAST if pings > _FEW_PINGS else max(1, pings // 2)
        mm, count = surface(near, good, far, self._fixed, self._last_mm, least)
        if 0 < count < least and returned * 2 < pings:
            count = 0  # no wall outshouts the refuse: it is foam that swallows it
        if 0 < count < LEAST and not continues(mm, self._last_mm):
            # Of so few pings one or two are believed only where there was something before.
            before_mm, self._candidate_mm = self._candidate_mm, mm
            if abs(mm - before_mm) > WINDOW_MM:
                return UNSTABLE, None
        # The fewer echoes, the nearer to where the refuse was they must come from.
        steady = count and (
            continues(mm, self._last_mm) if count * 3 >= pings else abs(mm - self._last_mm) <= WINDOW_MM
        )
        if steady and len(near) > count:
            # The tail of what lies in the blind zone is no surface of its own.
            steady = mm - near[-1] > WINDOW_MM
        if steady and self._fixed.has(mm):
            steady = count * 3 >= pings  # what hardly answers at a wall's place is the wall
        if not count or not steady and (count * 3 < pings or len(near) > count):
            return self._reason(near, good + far, len(far), pings), None
        if mm <= self._near_mm + _BLIND_END_MM and self._last_mm - mm > self._jump_mm(self._step_min):
            # Out of nowhere at the blind limit: what a ranger tells of a bag that lies on it.
            return (UNSTABLE if beyond(good, mm) else TOO_CLOSE), None
        if self._believed(mm, good, returned, returned * 3 >= pings * 2, again):
            return OK, mm
        self._doubt_min = min(_STUBBORN_MIN, self._doubt_min + self._step_min)
        return UNSTABLE, None

    def _believed(self, mm, rest, returned, heard_well, again):
        """Return whether what answers at `mm` is refuse, seeing what answers from beyond it."""
        past = beyond(rest, mm)
        at_wall = self._fixed.has(mm)
        rise_mm = self._last_mm - mm
        if rise_mm <= (WINDOW_MM if at_wall else GAP_MM):
            passed = past if at_wall else agree(between(past, mm + 2 * APART_MM))
            return not passed or self._doubt_min >= _STUBBORN_MIN
        old = len(between(rest, max(mm + APART_MM, self._last_mm - WINDOW_MM), self._last_mm + WINDOW_MM))
        # Where all that answers is at a wall's place, and nothing beyond it, the refuse has come up to it.
        behind = past or between(rest, max(mm + WINDOW_MM, self._last_mm - GAP_MM), self._last_mm + GAP_MM)
        high = rise_mm > self._jump_mm(self._unseen_min)
        walled = agree(past) or at_wall and (behind or high or not heard_well)
        high = high or walled or at_wall or old > 1
        seen_again = again or mm <= self._candidate_mm + APART_MM
        patience_min = _STUBBORN_MIN if walled or old * 5 >= returned else _PATIENCE_MIN if old else 0
        if old * 8 < returned and not high or seen_again and self._doubt_min >= patience_min:
            return True
        self._candidate_mm = mm
        return False

    def _reason(self, near, rest, far, pings):
        returned = len(near) + len(rest)
        if returned * 4 < pings or not returned:
            return NO_ECHO
        if len(near) * 2 > returned and not self._seen_past(near, rest):
            return TOO_CLOSE
        return TOO_FAR if far * 2 > returned else UNSTABLE

    def _seen_past(self, near, rest):
        """Return whether what is near stands beside the beam: the refuse behind it answers."""
        near_mm = near[len(near) // 2]
        if len(between(rest, near_mm + APART_MM)) > 1:
            return True
        clear = between(rest, near[-1] + _CLEAR_MM)  # and not the end of what lies near
        known = clear and (continues(clear[0], self._last_mm) or self._fixed.has(near_mm))
        return bool(known) or agree(clear) >= LEAST

    def _jump_mm(self, unseen_min):
        """Return by how much refuse hardly rises in that time: more is looked at twice."""
        share_pm = _JUMP_PM + max(0, min(_LONGEST_STEP_MIN, unseen_min) - _USUAL_MIN) * _JUMP_PM_AN_HOUR // 60
        return max(200, (self._empty_mm - self._full_mm) * share_pm // 1000)


def _step_min(elapsed_s):
    if elapsed_s is None:
        return _USUAL_MIN
    return max(0, min(_LONGEST_STEP_MIN, elapsed_s // 60))
