"""Whether a container burns or has fallen: from the temperature of its air and from how it lies. No hardware."""

import struct

from micropython import const

# Refuse does not get so hot by the sun; and no sun heats the air under a lid by 10 K in 5 minutes.
_HOT_C100 = const(6500)
_COOL_C100 = const(5500)
_LEAP_C100 = const(1000)
_LEAP_S = const(300)
_SLACK_S = const(60)

_TILTED_DEG = const(45)
# A lid is open for 20 to 60 seconds while a container is emptied, and a container may be tipped for that.
_FALLEN_S = const(120)

_LAYOUT = "<hhhIhBB"  # how it lay upright, since when it is tilted, last temperature, fire said, tilt said
SIZE = const(14)
_NO_TEMP = const(-32768)
_FRESH = (0, 0, 0, 0, _NO_TEMP, 0, 0)


class Guard:
    """`saved`: what `dumps` returned; anything else is a fresh start, which takes how it lies next for upright."""

    def __init__(self, saved=None):
        fields = struct.unpack(_LAYOUT, saved) if saved is not None and len(saved) == SIZE else _FRESH
        self._upright = fields[:3]
        self._tilted_s, self._temp_c100, self._burns, self._fallen = fields[3:]
        self.look_in_s = None  # in how many seconds to look again whether a tilt lasts

    @property
    def upright_mg(self):
        """How it felt when it stood, None before `stands`."""
        return self._upright if any(self._upright) else None

    def stands(self, felt_mg):
        """Take how it feels now for upright."""
        self._upright = felt_mg

    def fire(self, temp_c100, elapsed_s):
        """Return whether it is news that it burns. `temp_c100`: of the air, None if nothing measures it; `elapsed_s`: since
        the last call, None if not known.
        """
        before_c100, self._temp_c100 = self._temp_c100, _NO_TEMP if temp_c100 is None else temp_c100
        if temp_c100 is None:
            return False
        soon = elapsed_s is not None and elapsed_s <= _LEAP_S + _SLACK_S
        leapt = soon and before_c100 != _NO_TEMP and temp_c100 - before_c100 >= _LEAP_C100
        if temp_c100 >= _HOT_C100 or leapt:
            news = not self._burns
            self._burns = 1
            return news
        if temp_c100 < _COOL_C100 and temp_c100 <= before_c100:
            self._burns = 0
        return False

    def tilt(self, tilted_deg, now_s, sees_inside):
        """Return whether it is news that it has fallen.

        `tilted_deg`: from upright, None while it is being moved; `sees_inside`: whether the ranger in its lid still looks into
        it. A lid that was left open looks at the sky.
        """
        self.look_in_s = None
        if tilted_deg is None:
            return False
        if tilted_deg < _TILTED_DEG:
            self._tilted_s = self._fallen = 0
            return False
        if not self._tilted_s:
            self._tilted_s = max(1, now_s)
        left_s = self._tilted_s + _FALLEN_S - now_s
        if 0 < left_s <= _FALLEN_S:
            # Whatever else wakes the board before. Later not so soon: a lid that is left open must not keep it awake.
            self.look_in_s = left_s
        if self._fallen or not sees_inside or left_s > 0:
            return False
        self._fallen = 1
        return True

    @property
    def tilted(self):
        """Whether it was tilted when last looked at."""
        return bool(self._tilted_s)

    def dumps(self):
        """Return the memory as bytes."""
        return struct.pack(
            _LAYOUT, *self._upright, self._tilted_s, self._temp_c100, self._burns, self._fallen
        )
