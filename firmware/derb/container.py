"""A waste container: when to ping, when to ping again, and what to say about its level."""

import struct

from micropython import const

from derb import fill_events, guard, reading
from derb import level as levels
from derb.fill_events import FillEvents
from derb.fill_shape import Table, Tapered, points
from derb.guard import Guard
from derb.level import NO_ECHO, NO_START, OK, REACH_MM, TOO_CLOSE, TOO_FAR, Level
from derb.stance import Stance

_VALUES = {
    "too_close": reading.TOO_CLOSE,
    "too_far": reading.TOO_FAR,
    "no_echo": reading.NO_ECHO,
    "unstable": reading.UNSTABLE,
}
# Blind zone and reach in mm by the data sheets: DFRobot SEN0311, MaxBotix PD11500. A trigger and an echo pin do not say
# whose they are: 2 cm for an HC-SR04, 20 to 25 for a JSN-SR04T, so `level` reckons from where full is.
_LIMITS = {"a02yyuw": (30, 4500), "maxbotix": (300, 5000)}
# As the drivers count: nothing answers; and one that no driver can know.
FAULT_ABSENT = const(1)
FAULT_BLOCKED = const(8)
_BAD_IN_A_ROW = const(3)

# Bad readings in a row, the ranger's fault, the accelerometer's, whether the ranger saw the inside, time of the last reading.
_OWN = "<BBBBI"
_OWN_SIZE = const(8)


class Container:
    """Reads echoes through `ranger` (pings) and says levels, and when it is full, was collected or lost its sensor.

    `config`: empty_mm, full_mm, pings and, if it has them, `ranger` (its name), `fill_table`, `floor_pct`, `shape` (see
    fill_shape). `accelerometer`: in its lid, or None. `watches`: it will wake the board; `look_in_s`: in how many seconds
    to look again, or None.
    """

    state = 0

    def __init__(self, ranger, thermometer, config, saved, accelerometer=None):
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
        self._bad = self._fault = self._stance_fault = self._sees_inside = 0
        self._last_s = None
        own = saved[at : at + _OWN_SIZE]
        sound = len(saved) == at + _OWN_SIZE + guard.SIZE and own[1] in (0, FAULT_ABSENT, FAULT_BLOCKED)
        if sound:
            self._bad, self._fault, self._stance_fault, self._sees_inside, self._last_s = struct.unpack(
                _OWN, own
            )
        self._guard = Guard(saved[at + _OWN_SIZE :] if sound else None)
        self._stance = Stance(accelerometer, self._guard) if accelerometer else None

    @property
    def fault(self):
        """What is wrong with the ranger or, if nothing is, with the accelerometer; 0 for nothing."""
        return self._fault or self._stance_fault

    @property
    def watches(self):
        """Whether the accelerometer will wake the board when it is tilted."""
        return self._stance is not None and self._stance.watches

    @property
    def look_in_s(self):
        """In how many seconds to look again how it stands, None if at the next reading."""
        return self._guard.look_in_s if self._stance else None

    def disturbed(self, now_s):
        """Look how it stands, between two readings; return [(kind, payload, urgent)]."""
        if not self._stance:
            return []
        if self._guard.tilted:
            # Still looking into the container, or out of an open lid?
            self._looks(self._level.glance(self._ranger.pings(self._config.pings), self._thermometer())[0])
        return [_alarm(code, value) for code, value in self._stood(now_s())]

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
        said = [(reading.LEVEL, reading.level_payload(_VALUES[status] if mm is None else mm), first)]
        self._looks(status)
        said.extend(_alarm(code, value) for code, value in self._news(mm))
        if self._failed(status, echoes_us):
            said.append(_alarm(reading.SENSOR_FAULT, self._fault))
        air_c100 = getattr(self._thermometer, "air_c100", None)
        if self._guard.fire(air_c100, elapsed_s):
            said.append(_alarm(reading.FIRE, air_c100))
        said.extend(_alarm(code, value) for code, value in self._stood(now))
        return said

    def _looks(self, status):
        self._sees_inside = int(status not in (TOO_FAR, NO_ECHO))

    def _stood(self, now):
        if not self._stance:
            return
        angle_deg = self._stance.look(now, self._sees_inside)
        if angle_deg is not None:
            yield reading.TILT, angle_deg
        if self._stance.fault != self._stance_fault:
            self._stance_fault = self._stance.fault
            if self._stance_fault:
                yield reading.SENSOR_FAULT, self._stance_fault

    def _news(self, mm):
        if self._events.collected:
            depth_mm = self._config.empty_mm - self._config.full_mm
            yield reading.COLLECTED, self._events.fell_x10 * depth_mm // 1000
        if self._events.full:
            yield reading.FULL, self._config.full_mm if mm is None else mm

    def _failed(self, status, echoes_us):
        """Count readings that only a broken or covered sensor gives; return whether it is news that it is one."""
        absent = all(echo_us == NO_START for echo_us in echoes_us)
        if status == OK:
            self._bad = self._fault = 0
        elif absent or status == TOO_CLOSE and not self._events.high:
            self._bad = min(255, self._bad + 1)
        if self._bad < _BAD_IN_A_ROW or self._fault or status == OK:
            return False
        self._fault = FAULT_ABSENT if absent else FAULT_BLOCKED
        return True

    def dumps(self):
        """Return what must be remembered in sleep."""
        own = struct.pack(
            _OWN, self._bad, self._fault, self._stance_fault, self._sees_inside, self._last_s or 0
        )
        return self._level.dumps() + self._events.dumps() + own + self._guard.dumps()


def _alarm(code, value):
    return reading.ALARM, reading.alarm_payload(code, value), True


def _shape(config):
    table = getattr(config, "fill_table", "")
    if table:
        return Table(points(table))
    floor_pct = getattr(config, "floor_pct", 100)
    if floor_pct == 100:
        return None
    return Tapered(config.empty_mm, config.full_mm, floor_pct, getattr(config, "shape", "cone") == "cone")
