"""PNI RM3100, three-axis magneto-inductive sensor (user manual 1017252 r04)."""

from micropython import const

from derb.drivers import FAULT_OVERFLOW, FAULT_SELF_TEST
from derb.drivers.registers import Registers

# Table 5-1, register map.
_REG_POLL = const(0x00)
_REG_CONTINUOUS = const(0x01)
_REG_CYCLES_X_H = const(0x04)
_REG_OUT_X = const(0x24)
_REG_SELF_TEST = const(0x33)
_REG_STATUS = const(0x34)
_REG_REVISION = const(0x36)

_REVISION = b"\x22"
_READY = const(0x80)
_ALL_AXES = b"\x70"
_OFF = b"\x00"
# Section 5.6.1: bit STE, the longest time and the most periods allowed (tables 5-9 and 5-10); then every axis must say OK.
_TEST_ON = b"\x8f"
_TEST_PASSED = const(0xF0)
_LONGEST_MS = const(100)  # at 200 cycles a measurement takes 7 ms

# Table 3-1, LSB a microtesla by cycle count: 20, 38, 75. nT a count as numerator and denominator, then LSB a microtesla.
_GAINS = {50: (50, 1, 20), 100: (500, 19, 38), 200: (40, 3, 75)}
_RANGE_UT = const(800)  # table 3-1; beyond it the chip counts on, but no longer in a straight line

ADDRESS = const(0x20)  # to 0x23 by pins SA0 and SA1


class RM3100:
    """The chip behind `i2c`, asked for each sample; `cycles` is 50, 100 or 200. `thermometer()` gives temp_c100."""

    can_watch = False

    def __init__(self, i2c, address=ADDRESS, sleep_ms=None, cycles=200, thermometer=None):
        self._registers = Registers(i2c, address, "RM3100", sleep_ms)
        self._cycles = bytes((cycles >> 8, cycles & 0xFF)) * 3
        self._numerator, self._denominator, lsb_per_ut = _GAINS[cycles]
        self._most = _RANGE_UT * lsb_per_ut
        self._thermometer = thermometer

    def start(self):
        """Set the chip up unless it is; return whether it had to be. It idles between samples."""
        self._registers.identify(_REG_REVISION, _REVISION)
        idle = self._registers.byte(_REG_CONTINUOUS) == _OFF[0]
        if idle and bytes(self._registers.read(_REG_CYCLES_X_H, 6)) == self._cycles:
            return False
        self._registers.write(_REG_CONTINUOUS, _OFF)
        self._registers.configure(_REG_CYCLES_X_H, self._cycles)
        return True

    def read(self, deadline):
        """Measure; return (x_nt, y_nt, z_nt, temp_c100); SensorError on overflow or when it takes too long."""
        self._poll(deadline)
        out = self._registers.read(_REG_OUT_X, 9)
        counts = _signed(out, 0), _signed(out, 3), _signed(out, 6)
        if max(counts) > self._most or min(counts) < -self._most:
            raise self._registers.error(FAULT_OVERFLOW, "is in a field beyond 800 microtesla")
        x, y, z = counts
        temp_c100 = self._thermometer() if self._thermometer else None
        return self._nt(x), self._nt(y), self._nt(z), temp_c100

    def stop(self):
        """Do nothing: it idles by itself."""

    def self_test(self, deadline):
        """Let the chip check its three oscillators; SensorError if one does not run."""
        self._registers.write(_REG_SELF_TEST, _TEST_ON)
        try:
            self._poll(deadline)
            result = self._registers.byte(_REG_SELF_TEST)
        finally:
            # With the bit set it would test itself for ever, where it is asked to measure.
            self._registers.write(_REG_SELF_TEST, _OFF)
        if result & _TEST_PASSED != _TEST_PASSED:
            raise self._registers.error(FAULT_SELF_TEST, "failed its self-test: 0x%02x" % result)

    def _poll(self, deadline):
        self._registers.write(_REG_POLL, _ALL_AXES)
        self._registers.wait(_REG_STATUS, _READY, deadline, _LONGEST_MS)

    def _nt(self, counts):
        # Within the range at most 30,400 * 500: a small int.
        return counts * self._numerator // self._denominator


def _signed(out, at):
    value = out[at] << 16 | out[at + 1] << 8 | out[at + 2]
    return value - 0x1000000 if value & 0x800000 else value
