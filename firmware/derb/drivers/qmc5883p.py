"""QST QMC5883P, three-axis magnetometer: the QMC5883L's successor, with other registers and scales (data sheet rev C)."""

import struct

from micropython import const

from derb.drivers import FAULT_OVERFLOW, FAULT_SELF_TEST
from derb.drivers.registers import Registers

# Section 9.1, register map.
_REG_ID = const(0x00)
_REG_OUT_X_L = const(0x01)
_REG_STATUS = const(0x09)
_REG_CTRL_1 = const(0x0A)
_REG_CTRL_2 = const(0x0B)
_REG_SIGN = const(0x29)  # not in the map; section 7.1 writes it first of all

_ID = b"\x80"
_READY = const(0x01)  # cleared by reading the status
_OVERFLOW = const(0x02)
_SUSPEND = b"\x00"
_NORMAL = b"\xc1"  # both filters at their longest, 10 Hz, normal mode
_SIGN = b"\x06"
_LONGEST_MS = const(300)  # three conversions

# Section 9.2, bit SELF_TEST. The data sheet gives no limits; those in QST's own driver are 120 to 1,800 counts at +-30 gauss,
# measured continuously, between a sample without the bit and one with it.
_CONTINUOUS = b"\x03"
_TEST_OFF, _TEST_ON = b"\x00", b"\x40"
_TEST_SETTLE_MS = const(10)
_TEST_LEAST, _TEST_MOST = const(120), const(1800)

# Range in gauss: (CTRL_2 with set and reset on, nT a count as numerator and denominator).
# Table 2: 1,000, 2,500, 3,750 and 15,000 LSB a gauss; 1 gauss is 100,000 nT.
_RANGES = {30: (0x00, 100, 1), 12: (0x04, 40, 1), 8: (0x08, 80, 3), 2: (0x0C, 20, 3)}

ADDRESS = const(0x2C)


class QMC5883P:
    """The chip behind `i2c`; `range_gauss` is 2, 8, 12 or 30. No threshold interrupt; `thermometer()` gives temp_c100."""

    can_watch = False

    def __init__(self, i2c, address=ADDRESS, sleep_ms=None, range_gauss=8, thermometer=None):
        self._registers = Registers(i2c, address, "QMC5883P", sleep_ms)
        ctrl_2, self._numerator, self._denominator = _RANGES[range_gauss]
        self._ctrl_2 = bytes((ctrl_2,))
        self._thermometer = thermometer

    def start(self):
        """Bring the chip to regular measurement, or go on with one that is; return whether it had to be set up."""
        self._registers.identify(_REG_ID, _ID)
        if bytes(self._registers.read(_REG_CTRL_1, 2)) == _NORMAL + self._ctrl_2:
            return False
        # Section 6: from one mode to another only through suspend.
        self._registers.write(_REG_CTRL_1, _SUSPEND)
        self._registers.write(_REG_SIGN, _SIGN)
        self._registers.configure(_REG_CTRL_2, self._ctrl_2)
        self._registers.configure(_REG_CTRL_1, _NORMAL)
        return True

    def read(self, deadline):
        """Return (x_nt, y_nt, z_nt, temp_c100) of the next new sample; SensorError on overflow or when none comes in time."""
        status = self._registers.wait(_REG_STATUS, _READY, deadline, _LONGEST_MS)
        x, y, z = struct.unpack("<hhh", self._registers.read(_REG_OUT_X_L, 6))
        if status & _OVERFLOW:
            raise self._registers.error(FAULT_OVERFLOW, "is in a field beyond its range")
        temp_c100 = self._thermometer() if self._thermometer else None
        return self._nt(x), self._nt(y), self._nt(z), temp_c100

    def self_test(self, deadline):
        """Let the chip add a field of its own; SensorError if an axis does not see it. `start` must follow."""
        without = self._test_sample(_TEST_OFF, deadline)
        with_it = self._test_sample(_TEST_ON, deadline)
        self.stop()
        moved = [abs(with_it[i] - without[i]) for i in range(3)]
        if min(moved) < _TEST_LEAST or max(moved) > _TEST_MOST:
            raise self._registers.error(FAULT_SELF_TEST, "failed its self-test: %s" % moved)

    def _test_sample(self, ctrl_2, deadline):
        self.stop()
        self._registers.write(_REG_CTRL_2, ctrl_2)
        self._registers.write(_REG_CTRL_1, _CONTINUOUS)
        self._registers.sleep_ms(_TEST_SETTLE_MS)
        self._registers.wait(_REG_STATUS, _READY, deadline, _LONGEST_MS)
        return struct.unpack("<hhh", self._registers.read(_REG_OUT_X_L, 6))

    def stop(self):
        """Suspend it until `start`."""
        self._registers.write(_REG_CTRL_1, _SUSPEND)

    def _nt(self, counts):
        # At most 32,768 * 100: a small int.
        return counts * self._numerator // self._denominator
