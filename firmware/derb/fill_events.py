"""What the levels of a container tell as news: it was collected, it is full. Integers only, no hardware."""

import binascii
import struct

from micropython import const

# A quick fall that lasts: refuse settles by up to 5 points an hour, a heap's top slides by some 10; crews take a third or more.
_FALL_X10 = const(140)
_SETTLES_X10_AN_HOUR = const(5)
_CLEAR_FALL_X10 = const(300)  # no heap slides so far: a second burst of pings is proof enough
_SHEER_FALL_X10 = const(500)  # nor noise: one reading is enough
_RARE_MIN = const(90)  # with so long between levels, the one before the last is of another day's heap
_USUAL_MIN = const(30)
_LONGEST_MIN = const(240)
# Enevo calls a container full at 80 % of its height, crews at the brim; this is the brim less the heap's noise.
_FULL_X10 = const(950)
_NOT_FULL_X10 = const(850)
# Too close to tell is full only where the refuse was already high; else something lies on the sensor.
_HIGH_X10 = const(750)
_TIMES = const(2)

_NONE = const(0xFFFF)
# version, level before, three last levels, readings that fell, readings that were full or FULL_SAID, minutes since the
# last level, too close since
_LAYOUT = "<BHHHHBBBB"
_VERSION = const(2)
_FULL_SAID = const(255)
SAVED_SIZE = const(17)


class FillEvents:
    """Follows the readings of one container; `saved`: what `dumps` returned, or anything else for a fresh start.

    After each `step`: `collected` and `full` say whether this reading brought the news, `fell_x10` by how much.
    """

    def __init__(self, saved=None):
        self.collected = self.full = False
        self.fell_x10 = 0
        self._before_x10, self._recent = None, []
        self._falls = self._fulls = self._unseen_min = 0
        self._close = False
        if saved is not None:
            self._restore(saved)

    @property
    def high(self):
        """Whether the last known level was high, and nothing was seen that is lower."""
        return not self._falls and bool(self._recent) and self._recent[-1] >= _HIGH_X10

    def step(self, status, level_x10, again=False, elapsed_s=None):
        """Take one reading; `again`: a second burst of pings has already confirmed it.

        `elapsed_s`: since the reading before it, None for half an hour.
        """
        self.collected = self.full = False
        step_min = _USUAL_MIN if elapsed_s is None else max(0, elapsed_s // 60)
        self._unseen_min = min(_LONGEST_MIN, self._unseen_min + step_min)
        if level_x10 is not None:
            self._follow(level_x10, again)
            self._watch_brim(level_x10, again)
            self._unseen_min, self._close = 0, False
        elif status == "too_close" and self.high:
            # Nearer than can be told, and it was high before: full, or a bag on the sensor of a high container.
            if not self._close:
                self._recent = [(self._recent[-1] + 1000) // 2]
            self._close = True
            self._watch_brim(1000, again)
        elif status == "unstable" and self._fulls == 1:
            self._fulls = 0  # something answers from beyond

    def _follow(self, level_x10, again):
        rare = self._unseen_min >= _RARE_MIN
        if self._recent and not self._falls:
            if rare:
                self._recent = self._recent[-1:]
            # One reading of a lump that was gone at the next is not a level to fall from.
            self._before_x10 = min(sorted(self._recent)[len(self._recent) // 2], self._recent[-1])
        fell_x10 = 0 if self._before_x10 is None else self._before_x10 - level_x10
        # Refuse that nobody looked at for hours has settled.
        least_x10 = _FALL_X10 + max(0, self._unseen_min - _USUAL_MIN) * _SETTLES_X10_AN_HOUR // 60
        if self._falls:
            least_x10 = least_x10 * 5 // 6  # refuse is thrown in again at once
        self._falls = self._falls + 1 if fell_x10 >= least_x10 else 0
        if (
            self._falls >= (1 if rare or fell_x10 >= _SHEER_FALL_X10 else _TIMES)
            or again
            and fell_x10 >= _CLEAR_FALL_X10
        ):
            self.collected, self.fell_x10 = True, fell_x10
            self._falls, self._recent = 0, []
        if not self._falls:
            self._recent = (self._recent + [level_x10])[-3:]

    def _watch_brim(self, level_x10, again):
        if level_x10 < _NOT_FULL_X10:
            self._fulls = 0
        elif level_x10 >= _FULL_X10 and self._fulls != _FULL_SAID:
            self._fulls += 1
            if again or self._fulls >= _TIMES:
                self.full, self._fulls = True, _FULL_SAID

    def dumps(self):
        """Return the memory as bytes."""
        recent = (self._recent + [_NONE] * 3)[:3]
        before = _NONE if self._before_x10 is None else self._before_x10
        head = struct.pack(
            _LAYOUT, _VERSION, before, *recent, self._falls, self._fulls, self._unseen_min, self._close
        )
        return head + struct.pack("<I", binascii.crc32(head) & 0xFFFFFFFF)

    def _restore(self, saved):
        head = bytes(saved[:-4])
        if len(saved) != SAVED_SIZE or head[0] != _VERSION:
            return
        if struct.unpack("<I", bytes(saved[-4:]))[0] != binascii.crc32(head) & 0xFFFFFFFF:
            return
        _, before, *recent, self._falls, self._fulls, self._unseen_min, close = struct.unpack(_LAYOUT, head)
        self._close = bool(close)
        self._before_x10 = None if before == _NONE else before
        self._recent = [level for level in recent if level != _NONE]
