"""A waste container: when to ping, when to ping again, and what to say about its level."""

import struct

from micropython import const

from derb import fill_events, frame
from derb import level as levels
from derb.fill_events import FillEvents
from derb.fill_shape import Table, Tapered
from derb.level import NO_START, OK, REACH_MM, TOO_CLOSE, Level

_VALUES = {
    "too_close": frame.TOO_CLOSE,
    "too_far": frame.TOO_FAR,
    "no_echo": frame.NO_ECHO,
    "unstable": frame.UNSTABLE,
}
# Blind zone and reach in mm by the data sheets: DFRobot SEN0311, MaxBotix PD11500. A trigger and an echo pin do not say
# whose they are: 2 cm for an HC-SR04, 20 to 25 for a JSN-SR04T, so `level` reckons from where full is.
_LIMITS = {"a02yyuw": (30, 4500), "maxbotix": (300, 5000)}
# As the drivers count: nothing answers; and one that no driver can know.
FAULT_ABSENT = const(1)
FAULT_BLOCKED = const(8)
_BAD_IN_A_ROW = const(3)

_OWN = "<BBI"  # bad readings in a row, fault, time of the last reading
_OWN_SIZE = const(6)


class Container:
    """Reads echoes through `ranger` (pings) and says levels, and when it is full, was collected or lost its sensor.

    `config`: empty_mm, full_mm, pings and, if it has them, `ranger` (its name), `fill_table` (pairs of distance in mm and
    fill in 1/10 %) or `floor_pct` (see fill_shape).
    """

    state = 0

    def __init__(self, ranger, thermometer, config, saved):
        self._ranger = ranger
        self._thermometer = thermometer
        self._config = config
        saved = bytes(saved or b"")
        at = levels.SAVED_SIZE + fill_events.SAVED_SIZE
        blind_mm, reach_mm = _LIMITS.get(getattr(config, "ranger", ""), (None, REACH_MM))
        self._level = Level(
            config.empty_mm,
            config.full_mm,
            blind_mm,
            reach_mm,
            _shape(config),
            saved[: levels.SAVED_SIZE],
        )
        self._events = FillEvents(saved[levels.SAVED_SIZE : at])
        self._bad = self.fault = 0
        self._last_s = None
        if len(saved) == at + _OWN_SIZE and saved[at + 1] in (0, FAULT_ABSENT, FAULT_BLOCKED):
            self._bad, self.fault, self._last_s = struct.unpack(_OWN, saved[at:])

    def sense(self, now_s, deadline, first):
        """Take one reading; return [(kind, payload, urgent)]."""
        now = now_s()
        elapsed_s = None if self._last_s is None else max(0, now - self._last_s)
        self._last_s = now
        echoes_us, temp_c100 = self._ranger.pings(self._config.pings), self._thermometer()
        again = self._level.in_doubt(echoes_us, temp_c100, elapsed_s) and not deadline.over()
        if again:
            echoes_us = echoes_us + self._ranger.pings(self._config.pings)
        status, mm, level_x10 = self._level.measure(echoes_us, temp_c100, again, elapsed_s)
        self._events.step(status, level_x10, again, elapsed_s)
        said = [(frame.LEVEL, frame.level_payload(_VALUES[status] if mm is None else mm), first)]
        for code, value in self._news(mm):
            said.append((frame.ALARM, frame.alarm_payload(code, value), True))
        if self._failed(status, echoes_us):
            said.append((frame.ALARM, frame.alarm_payload(frame.SENSOR_FAULT, self.fault), True))
        return said

    def _news(self, mm):
        if self._events.collected:
            depth_mm = self._config.empty_mm - self._config.full_mm
            yield frame.COLLECTED, self._events.fell_x10 * depth_mm // 1000
        if self._events.full:
            yield frame.FULL, self._config.full_mm if mm is None else mm

    def _failed(self, status, echoes_us):
        """Count readings that only a broken or covered sensor gives; return whether it is news that it is one."""
        absent = all(echo_us == NO_START for echo_us in echoes_us)
        if status == OK:
            self._bad = self.fault = 0
        elif absent or status == TOO_CLOSE and not self._events.high:
            self._bad = min(255, self._bad + 1)
        if self._bad < _BAD_IN_A_ROW or self.fault or status == OK:
            return False
        self.fault = FAULT_ABSENT if absent else FAULT_BLOCKED
        return True

    def dumps(self):
        """Return what must be remembered in sleep."""
        own = struct.pack(_OWN, self._bad, self.fault, self._last_s or 0)
        return self._level.dumps() + self._events.dumps() + own


def _shape(config):
    points = getattr(config, "fill_table", None)
    if points:
        return Table(points)
    floor_pct = getattr(config, "floor_pct", 100)
    return None if floor_pct == 100 else Tapered(config.empty_mm, config.full_mm, floor_pct)
