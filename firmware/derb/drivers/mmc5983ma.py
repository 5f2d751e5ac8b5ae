"""MEMSIC MMC5983MA, three-axis magnetometer of 18 bits whose offset cancels by SET and RESET (data sheet Rev A)."""

from micropython import const

from derb.drivers import FAULT_OVERFLOW, FAULT_SELF_TEST, FAULT_TIMEOUT, SensorError
from derb.drivers.registers import Registers

# Register map. The four control registers are write-only, so what state the chip is in cannot be read.
_REG_OUT = const(0x00)  # X, Y, Z of 16 bits, the high byte first, then the lowest two bits of each
_REG_TEMP = const(0x07)
_REG_STATUS = const(0x08)
_REG_CTRL_0 = const(0x09)
_REG_CTRL_1 = const(0x0A)
_REG_CTRL_2 = const(0x0B)
_REG_ID = const(0x2F)

_ID = b"\x30"
_FIELD_DONE = const(0x01)
_TEMP_DONE = const(0x02)
_CALIBRATION_READ = const(0x10)  # OTP_Rd_Done
_MEASURE_FIELD = b"\x01"
_MEASURE_TEMP = b"\x02"
_SET = b"\x08"
_RESET = b"\x10"
_SLOWEST = b"\x00"  # 100 Hz of bandwidth, 8 ms, the least noise
_SOFTWARE_RESET = b"\x80"
_NOT_CONTINUOUS = b"\x00"
_RESET_MS = const(15)  # internal control 1: 10 ms
_PULSE_MS = const(1)  # the coil's pulse takes 500 ns; its capacitor wants time to charge again
_LONGEST_MS = const(100)

_LOWEST = const(0)
_HIGHEST = const(0x3FFFF)
# The Earth's field is 22 to 67 uT, and each axis sees it the other way round after RESET. Noise is 0.04 uT rms.
_TEST_LEAST_NT = const(5000)
_TEST_SAME_NT = const(1000)

ADDRESS = const(0x30)


class MMC5983MA:
    """The chip behind `i2c`. It has no threshold interrupt and sleeps by itself between samples."""

    can_watch = False

    def __init__(self, i2c, address=ADDRESS, sleep_ms=None):
        self._registers = Registers(i2c, address, "MMC5983MA", sleep_ms)

    def start(self):
        """Reset the chip and check that it is itself and has its calibration; return True."""
        self._registers.identify(_REG_ID, _ID)
        self._registers.write(_REG_CTRL_1, _SOFTWARE_RESET)
        self._registers.sleep_ms(_RESET_MS)
        if not self._registers.byte(_REG_STATUS) & _CALIBRATION_READ:
            raise self._registers.error(FAULT_SELF_TEST, "could not read its calibration")
        self._registers.write(_REG_CTRL_1, _SLOWEST)
        self._registers.write(_REG_CTRL_2, _NOT_CONTINUOUS)
        return True

    def read(self, deadline):
        """Measure after SET and after RESET; return (x_nt, y_nt, z_nt, temp_c100); SensorError on overflow or timeout.

        `temp_c100` is None where its thermometer does not answer. SET and RESET also undo what a magnet did to the sensor.
        Takes about 25 ms.
        """
        after_set = self._field(_SET, deadline)
        after_reset = self._field(_RESET, deadline)
        temp = self._temp(deadline)
        x, y, z = (_nt(after_set[i] - after_reset[i]) for i in range(3))
        return x, y, z, temp

    def self_test(self, deadline):
        """Compare SET with RESET; SensorError if the Earth's field does not turn over, or not twice alike. After `start`.

        The chip's own coil has no limits in the data sheet, so it is not asked.
        """
        once, twice = self.read(deadline)[:3], self.read(deadline)[:3]
        apart = max([abs(once[i] - twice[i]) for i in range(3)])
        if max([abs(axis) for axis in twice]) < _TEST_LEAST_NT or apart > _TEST_SAME_NT:
            raise self._registers.error(
                FAULT_SELF_TEST, "is not turned over by SET and RESET: %s, %s nT" % (once, twice)
            )

    def stop(self):
        """Do nothing: it sleeps by itself."""

    def _field(self, magnetise, deadline):
        self._registers.write(_REG_CTRL_0, magnetise)
        self._registers.sleep_ms(_PULSE_MS)
        self._registers.write(_REG_CTRL_0, _MEASURE_FIELD)
        self._registers.wait(_REG_STATUS, _FIELD_DONE, deadline, _LONGEST_MS)
        counts = _unpack(self._registers.read(_REG_OUT, 7))
        if _LOWEST in counts or _HIGHEST in counts:
            raise self._registers.error(FAULT_OVERFLOW, "is in a field beyond 8 gauss")
        return counts

    def _temp(self, deadline):
        self._registers.write(_REG_CTRL_0, _MEASURE_TEMP)
        try:
            self._registers.wait(_REG_STATUS, _TEMP_DONE, deadline, _LONGEST_MS)
        except SensorError as e:
            # Others found the thermometer not to work, or to hang; the field is right all the same.
            if e.code != FAULT_TIMEOUT:
                raise
            return None
        # Temperature register: 0.8 degrees a count, 0 at -75.
        return self._registers.byte(_REG_TEMP) * 80 - 7500


def _unpack(out):
    low = out[6]
    return (
        out[0] << 10 | out[1] << 2 | low >> 6,
        out[2] << 10 | out[3] << 2 | low >> 4 & 3,
        out[4] << 10 | out[5] << 2 | low >> 2 & 3,
    )


def _nt(difference):
    # Specifications: 16,384 counts a gauss; SET minus RESET is twice the field: 100,000 / (2 * 16,384) = 3,125 / 1,024.
    # At most 262,142 * 3,125 = 8.2e8, below 2^30.
    return difference * 3125 // 1024
