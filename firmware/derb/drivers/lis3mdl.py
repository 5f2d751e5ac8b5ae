"""ST LIS3MDL, three-axis magnetometer (data sheet DocID024204 Rev 6)."""

import struct
import time

from micropython import const

from derb.drivers import SensorError

# Section 7, register mapping.
_REG_OFFSET_X_L = const(0x05)  # six registers, environmental offset, subtracted from the output
_REG_WHO_AM_I = const(0x0F)
_REG_CTRL_1 = const(0x20)
_REG_STATUS = const(0x27)
_REG_INT_CFG = const(0x30)
_REG_INT_SRC = const(0x31)
_REG_INT_THS_L = const(0x32)
_AUTO_INCREMENT = const(0x80)  # section 5.1.1: bit 7 of the sub-address

_ID = const(0x3D)
_READY = const(0x08)  # STATUS, ZYXDA
# Temperature on, X and Y ultra-high performance, 1.25 Hz; +-4 gauss; continuous; Z ultra-high performance; block data update.
_SETUP = bytes((0xE4, 0x00, 0x00, 0x0C, 0x40))
_POWER_DOWN = bytes((0x03,))
# X, Y and Z may raise it; active high; latched until INT_SRC is read (bit LIR is 0); enabled.
_INT_ON = bytes((0xED,))
_LSB_PER_GAUSS = const(6842)  # section 2.1, at +-4 gauss; 1 gauss is 100,000 nT
_FULL_SCALE = const(32760)

FAULT_ABSENT = const(1)
FAULT_IDENTITY = const(2)
FAULT_TIMEOUT = const(3)
FAULT_OVERFLOW = const(4)

ADDRESS = const(0x1C)


class LIS3MDL:
    """The chip behind `i2c`; it keeps its registers while the board sleeps."""

    def __init__(self, i2c, address=ADDRESS):
        self._i2c = i2c
        self._address = address
        self._offset = (0, 0, 0)
        self._buf = bytearray(6)

    def start(self):
        """Bring the chip to continuous measurement, or go on with one that is; return whether it had to be set up."""
        if self._read(_REG_WHO_AM_I, 1)[0] != _ID:
            raise SensorError(FAULT_IDENTITY, "the chip at address 0x%02x is not a LIS3MDL" % self._address)
        if bytes(self._read(_REG_CTRL_1, 5)) == _SETUP:
            self._offset = struct.unpack("<hhh", self._read(_REG_OFFSET_X_L, 6))
            return False
        self._write(_REG_OFFSET_X_L, bytes(6))
        self._write(_REG_CTRL_1, _SETUP)
        return True

    def read(self, deadline):
        """Return (x_nt, y_nt, z_nt, temp_c100) of the next new sample; SensorError on overflow or when none comes in time."""
        while not self._read(_REG_STATUS, 1)[0] & _READY:
            if deadline.over():
                raise SensorError(FAULT_TIMEOUT, "the magnetometer has no new sample")
            time.sleep_ms(5)
        # OUT_X_L to TEMP_OUT_H follow the status register.
        raw = struct.unpack("<hhh", self._read(_REG_STATUS + 1, 6))
        temp = struct.unpack("<h", self._read(_REG_STATUS + 7, 2))[0]
        if max(raw) > _FULL_SCALE or min(raw) < -_FULL_SCALE:
            raise SensorError(FAULT_OVERFLOW, "the magnetic field is beyond 4 gauss")
        off = self._offset
        # Section 2.1: 8 LSB a degree, 0 at 25 degrees.
        return _nt(raw[0] + off[0]), _nt(raw[1] + off[1]), _nt(raw[2] + off[2]), 2500 + temp * 100 // 8

    def watch(self, x_nt, y_nt, z_nt, threshold_nt):
        """Raise the interrupt pin when an axis leaves `threshold_nt` around the given field."""
        self._offset = (_counts(x_nt), _counts(y_nt), _counts(z_nt))
        self._write(_REG_OFFSET_X_L, struct.pack("<hhh", *self._offset))
        self._write(_REG_INT_THS_L, struct.pack("<H", _counts(threshold_nt)))
        self._write(_REG_INT_CFG, _INT_ON)
        self.moved()

    def moved(self):
        """Return whether the field left the watched range since the last call; releases the pin."""
        return bool(self._read(_REG_INT_SRC, 1)[0] & 0x01)

    def _read(self, register, count):
        view = memoryview(self._buf)[:count]
        try:
            self._i2c.readfrom_mem_into(self._address, register | (_AUTO_INCREMENT if count > 1 else 0), view)
        except OSError:
            raise SensorError(FAULT_ABSENT, "no magnetometer answers at address 0x%02x" % self._address)
        return view

    def _write(self, register, values):
        try:
            self._i2c.writeto_mem(
                self._address, register | (_AUTO_INCREMENT if len(values) > 1 else 0), values
            )
        except OSError:
            raise SensorError(FAULT_ABSENT, "no magnetometer answers at address 0x%02x" % self._address)


def _nt(counts):
    # 100,000 / 6,842 = 50,000 / 3,421; the product stays below 2^31 but not below 2^30, so split it.
    whole, rest = divmod(counts, 3421)
    return whole * 50000 + rest * 50000 // 3421


def _counts(nt):
    whole, rest = divmod(nt, 50000)
    return whole * 3421 + rest * 3421 // 50000
