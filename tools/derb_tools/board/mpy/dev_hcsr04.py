"""An HC-SR04 ultrasonic ranger: a trigger pulse of at least 10 us starts a ping, the echo pin answers.

The recording's `echo_us` -1 (no echo start) is an echo pin that never rises, for which
`machine.time_pulse_us` returns -2; its -2 (echo never ended) is one that stays high too long, for which
`time_pulse_us` returns -1.
"""

_TRIGGER_US = 10
_BURST_US = 450  # eight cycles of 40 kHz and the chip's own delay, before the echo pin rises
_STUCK_US = 200_000  # a clone without an echo lets go after that

_NO_START = -1
_NO_END = -2


class HcSr04:
    def __init__(self, echoes):
        self._echoes = echoes
        self._trigger_us = None
        self._rise_us = None
        self._fall_us = None
        self._record = -1
        self._ping = 0

    def triggered(self, level, street_us):
        """The trigger pin has been set to `level`."""
        if level:
            self._trigger_us = street_us
        elif self._trigger_us is not None:
            if street_us - self._trigger_us >= _TRIGGER_US and not self.level(street_us):
                self._send(street_us)
            self._trigger_us = None

    def level(self, street_us):
        """Of the echo pin."""
        return 1 if self._rise_us is not None and self._rise_us <= street_us < self._fall_us else 0

    def next_edge_us(self, from_us, to_us):
        for edge_us in (self._rise_us, self._fall_us):
            if edge_us is not None and from_us < edge_us <= to_us:
                return edge_us
        return None

    def temp_c100(self, street_us):
        return self._echoes.at(street_us // 1000)[1]

    def _send(self, street_us):
        record, _, echoes_us = self._echoes.at(street_us // 1000)
        if record != self._record:
            self._record, self._ping = record, 0
        echo_us = echoes_us[self._ping % len(echoes_us)]
        self._ping += 1
        self._rise_us = self._fall_us = None
        if echo_us != _NO_START:
            self._rise_us = street_us + _BURST_US
            self._fall_us = self._rise_us + (_STUCK_US if echo_us == _NO_END else echo_us)
