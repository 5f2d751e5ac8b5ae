"""ST LIS3DH, three-axis accelerometer: is the lid, or the whole container, tilted? (data sheet DocID17530 Rev 2)"""

import struct

from micropython import const

from derb.drivers import FAULT_MOUNTING, FAULT_NONSENSE, FAULT_SELF_TEST
from derb.drivers.registers import Registers
from derb.drivers.tilt import angle_deg, at_rest

# Register mapping.
_REG_WHO_AM_I = const(0x0F)
_REG_CTRL_1 = const(0x20)
_REG_CTRL_4 = const(0x23)
_REG_STATUS = const(0x27)
_REG_OUT_X_L = const(0x28)
_REG_INT1_CFG = const(0x30)
_REG_INT1_SRC = const(0x31)
_REG_INT1_THS = const(0x32)
_AUTO_INCREMENT = const(0x80)  # I2C operation: bit 7 of the sub-address

_ID = b"\x33"
_READY = const(0x08)
# 10 Hz, normal mode (10 bits), all axes; no high-pass filter; IA1 to pin INT1; block data update, +-2 g; latch INT1.
_SETUP = b"\x27\x00\x40\x80\x08"
_POWER_DOWN = b"\x00"
_LONGEST_MS = const(500)  # five samples
# Section 3.2.2 and table 4: with ST0 of CTRL_REG4 set, at +-2 g each axis moves by 17 to 360 counts of 4 mg, and in normal
# mode the second sample is right.
_TEST_OFF, _TEST_ON = b"\x80", b"\x82"
_TEST_SETTLE, _TEST_SAMPLES = const(2), const(5)
_TEST_LEAST_MG, _TEST_MOST_MG = const(68), const(1440)
_ACTIVE = const(0x40)  # INT1_SRC, IA

# INT1_CFG: an axis whose magnitude falls below the threshold; X, Y or Z.
_AXIS_LOW = (0x01, 0x04, 0x10)
_THRESHOLD_MG = const(16)  # a step of INT1_THS at +-2 g
_SAMPLES_A_SECOND = const(10)
_LONGEST_HOLD_S = const(12)  # INT1_DURATION has 7 bits
# 1000 * cos(20), ..., in steps of 5 degrees to 70.
_COSINES = (940, 906, 866, 819, 766, 707, 643, 574, 500, 423, 342)
_UPRIGHT_MG = const(940)

ADDRESS = const(0x18)
ADDRESS_2 = const(0x19)  # pin SA0 high


class LIS3DH:
    """The chip behind `i2c`; it goes on measuring while the board sleeps, at 4 microamperes."""

    def __init__(self, i2c, address=ADDRESS, sleep_ms=None):
        self._registers = Registers(i2c, address, "LIS3DH", sleep_ms, _AUTO_INCREMENT)

    def start(self):
        """Bring the chip to continuous measurement, or go on with one that is; return whether it had to be set up."""
        self._registers.identify(_REG_WHO_AM_I, _ID)
        if bytes(self._registers.read(_REG_CTRL_1, 5)) == _SETUP:
            return False
        self._registers.configure(_REG_CTRL_1, _SETUP)
        return True

    def read(self, deadline):
        """Return (x_mg, y_mg, z_mg) of the next new sample; SensorError when none comes in time."""
        self._registers.wait(_REG_STATUS, _READY, deadline, _LONGEST_MS)
        raw = struct.unpack("<hhh", self._registers.read(_REG_OUT_X_L, 6))
        # Table 4: 10 bits, left in 16, 4 mg a count.
        return tuple((axis >> 6) * 4 for axis in raw)

    def tilt_deg(self, upright_mg, deadline):
        """Return the angle to how it lay when `upright_mg` was read, 0 to 180; SensorError while it is being moved."""
        now_mg = self.read(deadline)
        if not at_rest(now_mg):
            raise self._registers.error(FAULT_NONSENSE, "does not lie still")
        return angle_deg(now_mg, upright_mg)

    def self_test(self, deadline):
        """Let the chip push its own mass; SensorError if an axis does not feel it. Lying still, after `start`; takes 1.4 s."""
        watched = bytes(self._registers.read(_REG_INT1_CFG, 1))
        self._registers.write(_REG_INT1_CFG, b"\x00")
        try:
            without = self._sum(deadline)
            self._registers.write(_REG_CTRL_4, _TEST_ON)
            with_it = self._sum(deadline)
        finally:
            self._registers.write(_REG_CTRL_4, _TEST_OFF)
            self._registers.write(_REG_INT1_CFG, watched)
        moved = [abs(with_it[i] - without[i]) // _TEST_SAMPLES for i in range(3)]
        if min(moved) < _TEST_LEAST_MG or max(moved) > _TEST_MOST_MG:
            raise self._registers.error(FAULT_SELF_TEST, "failed its self-test: %s mg" % moved)

    def _sum(self, deadline):
        for _ in range(_TEST_SETTLE):
            self.read(deadline)
        samples = [self.read(deadline) for _ in range(_TEST_SAMPLES)]
        return [sum(axis) for axis in zip(*samples)]

    def stop(self):
        """Power it down until `start`."""
        self._registers.write(_REG_CTRL_1, _POWER_DOWN)

    def watch(self, tilt_deg, hold_s, deadline):
        """Raise pin INT1 when it has been tilted by `tilt_deg` (20 to 70) for `hold_s` (0 to 12): a knock is too short.

        SensorError unless one axis now stands upright within 20 degrees. Upside down is upright too: `tilt_deg()` tells.
        """
        now_mg = [abs(axis) for axis in self.read(deadline)]
        axis = now_mg.index(max(now_mg))
        if now_mg[axis] < _UPRIGHT_MG:
            raise self._registers.error(FAULT_MOUNTING, "is mounted too slanting to watch its tilt")
        threshold = _COSINES[(max(20, min(70, tilt_deg)) - 20) // 5] // _THRESHOLD_MG
        duration = max(0, min(_LONGEST_HOLD_S, hold_s)) * _SAMPLES_A_SECOND
        self._registers.write(_REG_INT1_THS, bytes((threshold, duration)))
        self._registers.write(_REG_INT1_CFG, bytes((_AXIS_LOW[axis],)))
        self.moved()

    def moved(self):
        """Return whether it was tilted since the last call; releases the pin."""
        return bool(self._registers.byte(_REG_INT1_SRC) & _ACTIVE)
