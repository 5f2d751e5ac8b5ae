"""Honeywell HMC5883L, three-axis magnetometer, no longer made (data sheet 900405 Rev E); its successor HMC5983 answers alike."""

import struct

from micropython import const

from derb.drivers import FAULT_OVERFLOW, FAULT_SELF_TEST
from derb.drivers.registers import Registers

# Table 2, register list.
_REG_CONFIG_A = const(0x00)
_REG_CONFIG_B = const(0x01)
_REG_MODE = const(0x02)
_REG_OUT_X_H = const(0x03)  # X, then Z, then Y, the high byte first
_REG_STATUS = const(0x09)
_REG_ID_A = const(0x0A)

_ID = b"H43"
_READY = const(0x01)
_IDLE = const(0x02)
_SINGLE = b"\x01"
_NORMAL = b"\x70"  # a sample is the mean of 8
_POSITIVE_BIAS = b"\x71"
_OVERFLOW = const(-4096)  # tables 13 to 15: what an axis reads then
_MEASURE_MS = const(6)
_LONGEST_MS = const(200)

# Table 9, nT a count as numerator and denominator by gain setting 0 to 7:
# 1370, 1090, 820, 660, 440, 390, 330, 230 LSB a gauss; 1 gauss is 100,000 nT.
_SCALES = (
    (10000, 137),
    (10000, 109),
    (5000, 41),
    (5000, 33),
    (2500, 11),
    (10000, 39),
    (10000, 33),
    (10000, 23),
)
_TEST_GAIN = const(5)
_TEST_LEAST = const(243)  # specification table, self test, at gain 5
_TEST_MOST = const(575)

ADDRESS = const(0x1E)


class HMC5883L:
    """The chip behind `i2c`; `gain` as in table 9, 2 is +-1.9 gauss. No threshold interrupt; `thermometer()` gives temp_c100."""

    can_watch = False

    def __init__(self, i2c, address=ADDRESS, sleep_ms=None, gain=2, thermometer=None):
        self._registers = Registers(i2c, address, "HMC5883L", sleep_ms)
        self._setup = _NORMAL + bytes((gain << 5,))
        self._numerator, self._denominator = _SCALES[gain]
        self._thermometer = thermometer
        self._fresh_gain = True  # or so it may be: who knows how the last wake ended

    def start(self):
        """Set the chip up unless it is; return whether it had to be. It idles between samples."""
        self._registers.identify(_REG_ID_A, _ID)
        if bytes(self._registers.read(_REG_CONFIG_A, 2)) == self._setup:
            return False
        self._configure(self._setup)
        return True

    def read(self, deadline):
        """Measure; return (x_nt, y_nt, z_nt, temp_c100); SensorError on overflow or when it takes too long."""
        x, y, z = self._measure(deadline)
        if _OVERFLOW in (x, y, z):
            raise self._registers.error(FAULT_OVERFLOW, "is in a field beyond its range")
        temp_c100 = self._thermometer() if self._thermometer else None
        return self._nt(x), self._nt(y), self._nt(z), temp_c100

    def stop(self):
        """Do nothing: it idles by itself."""

    def self_test(self, deadline):
        """Let the chip measure a field of its own; SensorError if it is not seen. `start` must follow."""
        self._configure(_POSITIVE_BIAS + bytes((_TEST_GAIN << 5,)))
        counts = self._measure(deadline)
        self._configure(_NORMAL + bytes((_TEST_GAIN << 5,)))
        if min(counts) < _TEST_LEAST or max(counts) > _TEST_MOST:
            raise self._registers.error(FAULT_SELF_TEST, "failed its self-test: %s" % list(counts))

    def _configure(self, setup):
        self._registers.configure(_REG_CONFIG_A, setup)
        self._fresh_gain = True

    def _measure(self, deadline):
        if self._fresh_gain:
            # Configuration register B: the first measurement after a change still has the gain of before.
            self._sample(deadline)
            self._fresh_gain = False
        return self._sample(deadline)

    def _sample(self, deadline):
        self._registers.write(_REG_MODE, _SINGLE)
        self._registers.sleep_ms(_MEASURE_MS)
        # The ready bit may still be the last sample's; that the mode went back to idle is this one's.
        self._registers.wait(_REG_MODE, _IDLE, deadline, _LONGEST_MS)
        self._registers.wait(_REG_STATUS, _READY, deadline, _LONGEST_MS)
        x, z, y = struct.unpack(">hhh", self._registers.read(_REG_OUT_X_H, 6))
        return x, y, z

    def _nt(self, counts):
        # 2,048 counts at most, 32,768 from a broken chip, times 10,000: a small int.
        return counts * self._numerator // self._denominator
