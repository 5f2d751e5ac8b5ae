"""An I2C bus, its clock and its chips, register by register, stricter than the hardware.

What a real chip would let pass in silence fails the test here: writing a register that is read-only or reserved bits of
one that is not, reading one that cannot be read, fetching a sample that is not finished.
"""

import errno

BYTE_US = 25  # 9 bits at 400 kHz and a little
NONE = {}


class Clock:
    """Time passes when somebody sleeps or speaks on the bus."""

    def __init__(self):
        self.us = 0

    def sleep_ms(self, ms):
        assert ms > 0, "slept for nothing"
        self.us += ms * 1000

    def deadline(self, ms):
        return Deadline(self, ms)


class Deadline:
    """As derb.deadline, on the fake clock."""

    def __init__(self, clock, ms):
        self._clock = clock
        self._end_us = clock.us + ms * 1000

    def left(self):
        return max(0, self._end_us - self._clock.us) // 1000

    def over(self):
        return self.left() == 0

    def within(self, ms):
        return Deadline(self._clock, min(ms, self.left()))


class Bus:
    """`machine.I2C` with `chips` on it. Faults: `broken_after` transfers, `stuck_at` a byte that every read gives."""

    def __init__(self, clock, *chips):
        self.clock = clock
        self.chips = {chip.address: chip for chip in chips}
        self.broken_after = None
        self.stuck_at = None
        self.transfers = 0
        for chip in chips:
            chip.clock = clock

    def scan(self):
        return sorted(self.chips)

    def readfrom_mem_into(self, address, register, buf):
        chip = self._chip(address, 3 + len(buf))
        if self.stuck_at is not None:
            buf[:] = bytes([self.stuck_at] * len(buf))
            return
        got = chip.burst_read(register, len(buf))
        for i in range(len(buf)):
            buf[i] = got[i]

    def writeto_mem(self, address, register, buf):
        assert isinstance(buf, (bytes, bytearray))
        chip = self._chip(address, 2 + len(buf))
        if self.stuck_at is None:
            chip.burst_write(register, buf)

    def _chip(self, address, transferred):
        self.clock.us += transferred * BYTE_US
        self.transfers += 1
        broken = self.broken_after is not None and self.transfers > self.broken_after
        if broken or address not in self.chips:
            raise OSError(errno.ENODEV)
        return self.chips[address]


class Chip:
    """`defaults` {register: value at power-on}; `writable` {register: bits that may be set}; `unreadable` registers.

    `outputs` are registers that may only be read while `fresh()`; `increment` is the bit that asks for a burst, 0 where
    every transfer is one; `elsewhere` is what registers that do not exist read, None where nobody may ask for them.
    """

    address = 0
    defaults = NONE
    writable = NONE
    unreadable = ()
    outputs = ()
    increment = 0
    elsewhere = None

    def __init__(self):
        self.registers = {}
        self.reset()

    def reset(self):
        self.registers.update(self.defaults)

    def burst_read(self, register, count):
        at = self._start(register, count)
        return bytes([self._read(at + i) for i in range(count)])

    def burst_write(self, register, values):
        at = self._start(register, len(values))
        for i, value in enumerate(values):
            allowed = self.writable.get(at + i, 0)
            assert value & ~allowed == 0, f"wrote 0x{value:02x} to register 0x{at + i:02x}"
            assert at + i in self.writable, f"wrote to register 0x{at + i:02x}"
            self.written(at + i, value)

    def _start(self, register, count):
        if count > 1:
            assert register & self.increment == self.increment, "a burst without the increment bit"
        return register & ~self.increment

    def _read(self, register):
        if register not in self.registers and self.elsewhere is not None:
            return self.elsewhere
        assert register in self.registers, f"read register 0x{register:02x}, which does not exist"
        assert register not in self.unreadable, f"read the write-only register 0x{register:02x}"
        if register in self.outputs:
            assert self.fresh(), "read a sample that is not finished"
        return self.was_read(register, self.registers[register])

    def written(self, register, value):
        self.registers[register] = value

    def was_read(self, register, value):
        return value

    def fresh(self):
        return True

    def put(self, register, values):
        """Set registers from the inside."""
        for i, value in enumerate(values):
            self.registers[register + i] = value
