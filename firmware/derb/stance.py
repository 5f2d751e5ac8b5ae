"""How a container stands, by the accelerometer in its lid: asks it, sets its watch, and says when it has fallen."""

from micropython import const

from derb.deadline import Deadline
from derb.drivers import FAULT_MOUNTING, FAULT_NONSENSE, SensorError
from derb.drivers.tilt import angle_deg, at_rest

_READ_MS = const(500)
_WATCH_DEG, _WATCH_S = const(45), const(10)  # a throw of refuse opens a lid for less


class Stance:
    """`chip`: a LIS3DH; `guard`: what is remembered.

    After `look`: `watches` says whether the chip will wake the board, `fault` what is wrong with the chip, 0 for nothing.
    """

    def __init__(self, chip, guard):
        self._chip = chip
        self._guard = guard
        self.watches = False
        self.fault = 0

    def look(self, now_s, sees_inside):
        """Return the angle in degrees if it is news that the container has fallen, else None."""
        self.watches, self.fault = False, 0
        try:
            self._chip.start()
            tilted_deg = self._tilted_deg()
            news = self._guard.tilt(tilted_deg, now_s, sees_inside)
            if not self._guard.tilted and tilted_deg is not None:
                self._chip.watch(_WATCH_DEG, _WATCH_S, Deadline(_READ_MS))
                self.watches = True
            return tilted_deg if news else None
        except SensorError as e:
            self.fault = e.code
            return None

    def _tilted_deg(self):
        felt_mg = self._chip.read(Deadline(_READ_MS))
        if not at_rest(felt_mg):
            return None  # it is being moved: the next look will tell
        if self._guard.upright_mg is None:
            self._guard.stands(felt_mg)
        try:
            return angle_deg(felt_mg, self._guard.upright_mg)
        except SensorError as e:
            if e.code not in (FAULT_NONSENSE, FAULT_MOUNTING):
                raise
            return None
