"""HC-SR04 and JSN-SR04T ultrasonic rangers: a trigger pulse out, an echo pulse back (HC-SR04 user guide, ElecFreaks)."""

import time

import machine
from micropython import const

_TRIGGER_US = const(10)
_ECHO_TIMEOUT_US = const(60000)  # a JSN-SR04T drops its pin after 60 ms without echo
_BETWEEN_PINGS_MS = const(60)  # user guide: more than 60 ms, lest an echo of the last ping is heard

NO_START = const(-1)
NO_END = const(-2)


class HCSR04:
    """The ranger on two pins that are already configured: trigger is an output, echo an input."""

    def __init__(self, trigger, echo):
        self._trigger = trigger
        self._echo = echo
        self._trigger.value(0)

    def ping(self):
        """Return the echo time in microseconds, NO_START if no pulse began, NO_END if it never ended."""
        if self._echo.value():
            # The last ping's pulse goes on, as clones' do that heard nothing: its rest would look like an echo.
            return NO_END
        self._trigger.value(1)
        time.sleep_us(_TRIGGER_US)
        self._trigger.value(0)
        # machine.time_pulse_us: -2 when the pulse did not start in time, -1 when it did not end in time.
        echo_us = machine.time_pulse_us(self._echo, 1, _ECHO_TIMEOUT_US)
        if echo_us >= 0:
            return echo_us
        return NO_START if echo_us == -2 else NO_END

    def pings(self, count):
        """Return `count` echo times, far enough apart."""
        echoes = []
        for _ in range(count):
            if echoes:
                time.sleep_ms(_BETWEEN_PINGS_MS)
            echoes.append(self.ping())
        return echoes
