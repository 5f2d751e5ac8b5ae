"""QST QMC5883L, three-axis magnetometer: what most boards sold as HMC5883L carry (data sheet 1.0)."""

import struct

from micropython import const

from derb.drivers import FAULT_NONSENSE, FAULT_OVERFLOW
from derb.drivers.registers import Registers

# Section 9.1, table 13, register map.
_REG_OUT_X_L = const(0x00)
_REG_STATUS = const(0x06)
_REG_TEMP_L = const(0x07)
_REG_CTRL_1 = const(0x09)
_REG_CTRL_2 = const(0x0A)  # and the set/reset period behind it
_REG_ID = const(0x0D)

_ID = b"\xff"
_READY = const(0x01)
_OVERFLOW = const(0x02)  # section 9.2.2, OVL: an axis is out of range
# No interrupt at the data-ready pin; set/reset period 1, as section 9.2.5 recommends.
_SETUP_2 = b"\x01\x01"
_STANDBY = b"\x00"
_CONTINUOUS = const(0x01)  # 10 Hz, 512 samples a reading
_CTRL_2_RESERVED = const(0x3E)
_LONGEST_MS = const(300)  # three conversions

# Range in gauss: (bits RNG of CTRL_1, nT a count as numerator and denominator).
# Table 2: 12,000 LSB a gauss at +-2 gauss, 3,000 at +-8; 1 gauss is 100,000 nT.
_RANGES = {2: (0x00, 25, 3), 8: (0x10, 100, 3)}

ADDRESS = const(0x0D)


class QMC5883L:
    """The chip behind `i2c`; `range_gauss` is 2 or 8. It has no threshold interrupt and no self-test."""

    can_watch = False

    def __init__(self, i2c, address=ADDRESS, sleep_ms=None, range_gauss=8):
        self._registers = Registers(i2c, address, "QMC5883L", sleep_ms)
        bits, self._numerator, self._denominator = _RANGES[range_gauss]
        self._setup = bytes((bits | _CONTINUOUS,))

    def start(self):
        """Bring the chip to continuous measurement, or go on with one that is; return whether it had to be set up."""
        self._registers.identify(_REG_ID, _ID)
        # The id is also what a bus without any chip reads, so a register with bits that are always 0 must agree.
        if self._registers.byte(_REG_CTRL_2) & _CTRL_2_RESERVED:
            raise self._registers.error(FAULT_NONSENSE, "answers nonsense")
        if bytes(self._registers.read(_REG_CTRL_1, 3)) == self._setup + _SETUP_2:
            return False
        self._registers.write(_REG_CTRL_1, _STANDBY)
        self._registers.configure(_REG_CTRL_2, _SETUP_2)
        self._registers.configure(_REG_CTRL_1, self._setup)
        return True

    def read(self, deadline):
        """Return (x_nt, y_nt, z_nt, temp_c100) of the next new sample; SensorError on overflow or when none comes in time.

        The temperature has the right slope but no right zero (section 9.2.3): take differences only.
        """
        status = self._registers.wait(_REG_STATUS, _READY, deadline, _LONGEST_MS)
        # All six registers, even at an overflow: the chip holds back new samples until the last one is read.
        raw = struct.unpack("<hhh", self._registers.read(_REG_OUT_X_L, 6))
        if status & _OVERFLOW:
            raise self._registers.error(FAULT_OVERFLOW, "is in a field beyond its range")
        temp_c100 = struct.unpack("<h", self._registers.read(_REG_TEMP_L, 2))[0]  # 100 LSB a degree
        x, y, z = raw
        return self._nt(x), self._nt(y), self._nt(z), temp_c100

    def stop(self):
        """Put it on standby, at a few microamperes, until `start`."""
        self._registers.write(_REG_CTRL_1, _STANDBY)

    def _nt(self, counts):
        # At most 32,768 * 100: a small int.
        return counts * self._numerator // self._denominator
