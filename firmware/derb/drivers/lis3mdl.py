"""ST LIS3MDL, three-axis magnetometer with a threshold interrupt (data sheet DocID024204 Rev 6)."""

import struct

from micropython import const

from derb.drivers import FAULT_OVERFLOW, FAULT_SELF_TEST
from derb.drivers.registers import Registers

# Section 7, register mapping.
# Six registers, environmental offset, subtracted from the output: AN4602, and the data sheet of the LSM9DS1, which has the same
# die, 8.1 to 8.3. The LIS3MDL's own calls them reserved; an owner found that they did not keep what he wrote (community.st.com
# 598758). So it is tried whether they work.
_REG_OFFSET_X_L = const(0x05)
_REG_WHO_AM_I = const(0x0F)
_REG_CTRL_1 = const(0x20)
_REG_CTRL_3 = const(0x22)
_REG_STATUS = const(0x27)
_REG_OUT_X_L = const(0x28)
_REG_TEMP_L = const(0x2E)  # not in one burst with OUT: the address rolls over behind OUT_Z_H
_REG_INT_CFG = const(0x30)
_REG_INT_SRC = const(0x31)
_REG_INT_THS_L = const(0x32)
_AUTO_INCREMENT = const(0x80)  # section 5.1.1: bit 7 of the sub-address

_ID = b"\x3d"
_READY = const(0x08)  # STATUS, ZYXDA
# Temperature on, X and Y ultra-high performance, 1.25 Hz; +-4 gauss; continuous; Z ultra-high performance; block data update.
_SETUP = b"\xe4\x00\x00\x0c\x40"
_POWER_DOWN = b"\x03"
_LONGEST_MS = const(2000)  # two conversions and a half at 1.25 Hz
# X, Y and Z may raise it; active high; latched until INT_SRC is read (bit LIR is 0); enabled.
_INT_ON = b"\xed"
_INT_OFF = b"\xe8"
_FULL_SCALE = const(32760)

# AN4602, figure 6 and table 17: 80 Hz, +-12 gauss, without and with bit ST; the means of five samples differ by
# 1 to 3 gauss in X and Y and by 0.1 to 1 gauss in Z, at 2,281 LSB a gauss.
_TEST_SETUP = b"\x1c\x40\x00\x00\x40"
_TEST_ON = b"\x1d"
_TEST_SETTLE_MS = const(60)
_TEST_SAMPLES = const(5)
_TEST_LIMITS = ((2281, 6843), (2281, 6843), (228, 2281))
_TEST_OFFSET = const(145)  # half of what an axis along the weakest field of the Earth, 22 uT, has at least

ADDRESS = const(0x1C)
ADDRESS_2 = const(0x1E)  # pin SA1 high; an HMC5883L has this address too


class LIS3MDL:
    """The chip behind `i2c`; it keeps its registers while the board sleeps."""

    can_watch = True

    def __init__(self, i2c, address=ADDRESS, sleep_ms=None):
        self._registers = Registers(i2c, address, "LIS3MDL", sleep_ms, _AUTO_INCREMENT)
        self._offset = (0, 0, 0)
        self._proven = False  # since it has power, that it measures around the offset

    def start(self):
        """Bring the chip to continuous measurement, or go on with one that is; return whether it had to be set up."""
        self._registers.identify(_REG_WHO_AM_I, _ID)
        if bytes(self._registers.read(_REG_CTRL_1, 5)) == _SETUP:
            offset = struct.unpack("<hhh", self._registers.read(_REG_OFFSET_X_L, 6))
            self._proven = self._registers.byte(_REG_INT_CFG) == _INT_ON[0]
            if self._proven or not any(offset):
                self._offset = offset
                return False
        self._watch_nothing()
        self._registers.configure(_REG_CTRL_1, _SETUP)
        return True

    def read(self, deadline):
        """Return (x_nt, y_nt, z_nt, temp_c100) of the next new sample; SensorError on overflow or when none comes in time."""
        raw = self._sample(deadline)
        temp = struct.unpack("<h", self._registers.read(_REG_TEMP_L, 2))[0]
        field = tuple(raw[i] + self._offset[i] for i in range(3))
        # The output clips twice, before and after the offset is taken off.
        if _beyond(raw) or _beyond(field):
            raise self._registers.error(FAULT_OVERFLOW, "is in a field beyond 4 gauss")
        # Section 2.1: 8 LSB a degree, 0 at 25 degrees.
        return _nt(field[0]), _nt(field[1]), _nt(field[2]), 2500 + temp * 100 // 8

    def stop(self):
        """Power it down; it neither measures nor watches until `start`."""
        self._registers.write(_REG_CTRL_3, _POWER_DOWN)

    def watch(self, x_nt, y_nt, z_nt, threshold_nt, deadline):
        """Raise the interrupt pin when an axis leaves `threshold_nt` around the given field; return whether it will.

        Once after it got its power it is tried whether the offset does what it should; that takes two samples.
        """
        threshold = _counts(threshold_nt)
        self._set_offset((_counts(x_nt), _counts(y_nt), _counts(z_nt)))
        if not self._proven and not self._centred(threshold, deadline):
            self._watch_nothing()
            return False
        self._registers.write(_REG_INT_THS_L, struct.pack("<H", threshold))
        self._registers.write(_REG_INT_CFG, _INT_ON)
        self._proven = True
        self.moved()
        return True

    def moved(self):
        """Return whether the field left the watched range since the last call; releases the pin."""
        return bool(self._registers.byte(_REG_INT_SRC) & 0x01)

    def self_test(self, deadline):
        """Let the chip add a field of its own; SensorError if it does not see it. `start` must follow. Takes 0.3 s."""
        self._watch_nothing()
        self._registers.configure(_REG_CTRL_1, _TEST_SETUP)
        without = self._sum(deadline)
        self._set_offset([total // _TEST_SAMPLES for total in without])
        centred = self._centred(_TEST_OFFSET, deadline)
        self._watch_nothing()
        self._registers.write(_REG_CTRL_1, _TEST_ON)
        with_it = self._sum(deadline)
        self._registers.write(_REG_CTRL_1, _TEST_SETUP)
        self.stop()
        moved = [abs(with_it[i] - without[i]) // _TEST_SAMPLES for i in range(3)]
        for i, (least, most) in enumerate(_TEST_LIMITS):
            if not least <= moved[i] <= most:
                raise self._registers.error(FAULT_SELF_TEST, "failed its self-test: %s" % moved)
        if not centred:
            raise self._registers.error(FAULT_SELF_TEST, "does not measure around an offset: it cannot watch")

    def _sum(self, deadline):
        self._registers.sleep_ms(_TEST_SETTLE_MS)
        self._sample(deadline)  # AN4602: the first one is discarded
        total = [0, 0, 0]
        for _ in range(_TEST_SAMPLES):
            sample = self._sample(deadline)
            total = [total[i] + sample[i] for i in range(3)]
        return total

    def _sample(self, deadline):
        self._registers.wait(_REG_STATUS, _READY, deadline, _LONGEST_MS)
        return struct.unpack("<hhh", self._registers.read(_REG_OUT_X_L, 6))

    def _centred(self, most, deadline):
        self._sample(deadline)  # may have begun before the offset
        return max([abs(axis) for axis in self._sample(deadline)]) <= most

    def _watch_nothing(self):
        self._proven = False
        self._registers.write(_REG_INT_CFG, _INT_OFF)
        self._offset = (0, 0, 0)
        if any(self._registers.read(_REG_OFFSET_X_L, 6)):
            self._set_offset((0, 0, 0))

    def _set_offset(self, counts):
        self._offset = tuple(counts)
        self._registers.write(_REG_OFFSET_X_L, struct.pack("<hhh", *counts))


def _beyond(counts):
    return max(counts) > _FULL_SCALE or min(counts) < -_FULL_SCALE


def _nt(counts):
    # Section 2.1: 6,842 LSB a gauss at +-4 gauss; 100,000 / 6,842 = 50,000 / 3,421.
    # The product stays below 2^31 but not below 2^30, so split it.
    whole, rest = divmod(counts, 3421)
    return whole * 50000 + rest * 50000 // 3421


def _counts(nt):
    whole, rest = divmod(nt, 50000)
    return whole * 3421 + (rest * 3421 + 25000) // 50000
