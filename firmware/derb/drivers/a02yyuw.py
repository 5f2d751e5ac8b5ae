"""DYP A02YYUW ultrasonic ranger with UART output (DFRobot SEN0311, "UART output").

Its pin RX, left open or high, makes it send filtered distances every 100 to 300 ms, and low, raw ones every 100 ms.
"""

from micropython import const

from derb.drivers.uart_ranger import NO_END, NO_START, TOO_CLOSE, UartRanger

_HEADER = const(0xFF)
_MIN_MM = const(30)
_MAX_MM = const(4500)
# The module never sends more than its reach and a little. A sum of FF before the next header can look like a header
# itself, and then its distance is 0xFF00 or more.
_IMPOSSIBLE_MM = const(0x2000)


class A02YYUW(UartRanger):
    """Frames of four bytes: FF, distance in mm high and low, sum of the three."""

    longest_ms = 1500
    _frame = ()

    def take(self, byte):
        """Take the next byte; return a distance when it completes a frame with the right sum."""
        frame = self._frame
        frame.append(byte)
        while frame and frame[0] != _HEADER:
            del frame[0]
        if len(frame) < 4:
            return None
        mm = frame[1] << 8 | frame[2]
        if (frame[0] + frame[1] + frame[2]) & 0xFF != frame[3] or mm >= _IMPOSSIBLE_MM:
            # A frame may have begun inside this one.
            self.garbage += 1
            self._frame = frame[1:]
            return None
        self._frame = []
        return _distance(mm)

    def forget(self):
        """Forget a frame that was begun, and count it as garbage."""
        self.garbage += bool(self._frame)
        self._frame = []


def _distance(mm):
    if mm == 0:
        # Owners of the module see 0 both when it is covered and when it looks into the open: it heard nothing.
        return NO_START
    if mm < _MIN_MM:
        return TOO_CLOSE
    return mm if mm <= _MAX_MM else NO_END
