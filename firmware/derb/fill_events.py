"""What the levels of a container tell as news: it was collected, it is full. Integers only, no hardware."""

import binascii
import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


# A quick fall that lasts: refuse settles by up to 5 points an hour, a heap's top slides by some 10; crews take a third or more.
_FALL_X10 = const(140)
_CLEAR_FALL_X10 = const(300)  # no heap slides so far: a second burst of pings is proof enough
# Enevo calls a container full at 80 % of its height, crews at the brim; this is the brim less the heap's noise.
_FULL_X10 = const(950)
_NOT_FULL_X10 = const(850)
# Too close to tell is full only where the refuse was already high; else something lies on the sensor.
_HIGH_X10 = const(750)
_ABOUT_FULL_X10 = const(900)
_TIMES = const(2)

_NONE = const(0xFFFF)
_LAYOUT = "<BHHHHBB"  # version, level before, three last levels, readings that fell, readings that were full or FULL_SAID
_VERSION = const(1)
_FULL_SAID = const(255)
SAVED_SIZE = const(15)


class FillEvents:
    """Follows the readings of one container; `saved`: what `dumps` returned, or anything else for a fresh start.

    After each `step`: `collected` and `full` say whether this reading brought the news, `fell_x10` by how much.
    """

    def __init__(self, saved=None):
        self.collected = self.full = False
        self.fell_x10 = 0
        self._before_x10, self._recent = None, []
        self._falls = self._fulls = 0
        if saved is not None:
            self._restore(saved)

    @property
    def high(self):
        """Whether the last known level was high."""
        return bool(self._recent) and self._recent[-1] >= _HIGH_X10

    def step(self, status, level_x10, again=False):
        """Take one reading; `again`: a second burst of pings has already confirmed it."""
        self.collected = self.full = False
        if level_x10 is not None:
            self._follow(level_x10, again)
            self._watch_brim(level_x10, again)
        elif status == "too_close" and self.high:
            # Nearer than can be told, and it was high before: full, or a bag on the sensor of a high container.
            self._recent = [max(_ABOUT_FULL_X10, self._recent[-1])]
            self._watch_brim(1000, again)

    def _follow(self, level_x10, again):
        if self._recent and not self._falls:
            # One reading of a lump that was gone at the next is not a level to fall from.
            self._before_x10 = min(sorted(self._recent)[len(self._recent) // 2], self._recent[-1])
        fell_x10 = 0 if self._before_x10 is None else self._before_x10 - level_x10
        self._falls = self._falls + 1 if fell_x10 >= _FALL_X10 else 0
        if self._falls >= _TIMES or again and fell_x10 >= _CLEAR_FALL_X10:
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
        head = struct.pack(_LAYOUT, _VERSION, before, *recent, self._falls, self._fulls)
        return head + struct.pack("<I", binascii.crc32(head) & 0xFFFFFFFF)

    def _restore(self, saved):
        head = bytes(saved[:-4])
        if len(saved) != SAVED_SIZE or head[0] != _VERSION:
            return
        if struct.unpack("<I", bytes(saved[-4:]))[0] != binascii.crc32(head) & 0xFFFFFFFF:
            return
        _, before, *recent, self._falls, self._fulls = struct.unpack(_LAYOUT, head)
        self._before_x10 = None if before == _NONE else before
        self._recent = [level for level in recent if level != _NONE]
