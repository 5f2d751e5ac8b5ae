"""A waste container: when to ping, and what to say about its level."""

import struct

from derb import frame
from derb.level import OK, Level

_VALUES = {
    "too_close": frame.TOO_CLOSE,
    "too_far": frame.TOO_FAR,
    "no_echo": frame.NO_ECHO,
    "unstable": frame.UNSTABLE,
}
_FULL_X10 = 950
_FULL_AGAIN_X10 = 850
_COLLECTED_X10 = 250
_LAYOUT = "<HBB"  # last level or 0xFFFF, full already said, spare


class Container:
    """Reads echoes through `ranger` (pings) and says levels, and when it is full or was collected."""

    fault = 0
    state = 0

    def __init__(self, ranger, thermometer, config, saved):
        self._ranger = ranger
        self._thermometer = thermometer
        self._config = config
        self._level = Level(config.empty_mm, config.full_mm)
        sound = saved is not None and len(saved) == struct.calcsize(_LAYOUT)
        last, self._full, _ = struct.unpack(_LAYOUT, saved) if sound else (0xFFFF, 0, 0)
        self._last_x10 = None if last == 0xFFFF else last

    def sense(self, now_s, deadline, first):
        """Take one reading; return [(kind, payload, urgent)]."""
        echoes = self._ranger.pings(self._config.pings)
        status, mm, level_x10 = self._level.measure(echoes, self._thermometer())
        if status != OK:
            return [(frame.LEVEL, frame.level_payload(_VALUES[status]), first)]
        said = [(frame.LEVEL, frame.level_payload(mm), first)]
        said.extend(self._events(mm, level_x10))
        self._last_x10 = level_x10
        return said

    def _events(self, mm, level_x10):
        last = self._last_x10
        if last is not None and last - level_x10 >= _COLLECTED_X10:
            self._full = 0
            fall_mm = (last - level_x10) * (self._config.empty_mm - self._config.full_mm) // 1000
            yield frame.ALARM, frame.alarm_payload(frame.COLLECTED, fall_mm), True
        if level_x10 >= _FULL_X10 and last is not None and last >= _FULL_X10 and not self._full:
            self._full = 1
            yield frame.ALARM, frame.alarm_payload(frame.FULL, mm), True
        elif level_x10 < _FULL_AGAIN_X10:
            self._full = 0

    def dumps(self):
        """Return what must be remembered in sleep."""
        return struct.pack(_LAYOUT, 0xFFFF if self._last_x10 is None else self._last_x10, self._full, 0)
