"""MaxBotix HRXL-MaxSonar-WR ultrasonic rangers with serial output in mm, such as MB7389 (data sheet PD11500).

MB738x speak TTL. MB736x speak the inverse, RS232 between 0 V and the supply: give their UART `invert=UART.INV_RX`.
They have a thermometer of their own. MB7369 and MB7389 tell the largest target in view, the others the first.
"""

from micropython import const

from derb.drivers.uart_ranger import NO_END, TOO_CLOSE, UartRanger

_START = const(0x52)  # "R"
_END = const(0x0D)
_DIGITS = const(4)  # three of them would be an older model that counts in centimetres or inches


class MaxBotix(UartRanger):
    """`R`, four digits, carriage return. `min_mm` is said of all that is nearer, `max_mm` if there is no target."""

    longest_ms = 750
    _digits = None  # so many of a line that has begun

    def __init__(self, uart, air_c100, min_mm=300, max_mm=5000, **seams):
        super().__init__(uart, air_c100, **seams)
        self._min_mm = min_mm
        self._max_mm = max_mm

    def take(self, byte):
        """Take the next byte; return a distance when it ends a line `Rnnnn`."""
        if byte == _START:
            self.garbage += self._digits is not None
            self._digits = self._mm = 0
        elif self._digits is None:
            pass  # the greeting at power-on, or the rest of something torn
        elif byte == _END and self._digits == _DIGITS:
            self._digits = None
            return self._distance(self._mm)
        elif 0x30 <= byte <= 0x39 and self._digits < _DIGITS:
            self._digits += 1
            self._mm = self._mm * 10 + byte - 0x30
        else:
            self.garbage += 1
            self._digits = None
        return None

    def forget(self):
        """Forget a line that was begun, and count it as garbage."""
        self.garbage += self._digits is not None
        self._digits = None
        self._mm = 0

    def _distance(self, mm):
        if mm >= self._max_mm:
            return NO_END
        return TOO_CLOSE if mm <= self._min_mm else mm
