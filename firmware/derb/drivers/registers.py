"""The registers of one I2C chip: whatever goes wrong on the bus becomes a SensorError that names the chip."""

import time

from micropython import const

from derb.drivers import FAULT_ABSENT, FAULT_IDENTITY, FAULT_NONSENSE, FAULT_TIMEOUT, SensorError

_LONGEST = const(9)  # three axes of 24 bits
_POLL_MS = const(2)


class Registers:
    """Chip `name` at `address` of `i2c`; `burst` is or-ed into the register's number when several are passed at once."""

    def __init__(self, i2c, address, name, sleep_ms=None, burst=0):
        self.name = name
        # CPython's `time` has no sleep_ms, so it is looked up only where none is handed in.
        self.sleep_ms = sleep_ms or time.sleep_ms
        self._i2c = i2c
        self._address = address
        self._burst = burst
        self._buf = bytearray(_LONGEST)
        self._identity = None

    def read(self, register, count):
        """Return `count` bytes from `register` on; valid until the next read."""
        view = memoryview(self._buf)[:count]
        try:
            self._i2c.readfrom_mem_into(self._address, register | (self._burst if count > 1 else 0), view)
        except OSError:
            raise self.error(FAULT_ABSENT, "does not answer")
        return view

    def byte(self, register):
        """Return one register."""
        return self.read(register, 1)[0]

    def write(self, register, values):
        """Write bytes from `register` on."""
        try:
            self._i2c.writeto_mem(
                self._address, register | (self._burst if len(values) > 1 else 0), bytes(values)
            )
        except OSError:
            raise self.error(FAULT_ABSENT, "does not answer")

    def identify(self, register, identity):
        """Raise SensorError if the chip does not say it is itself."""
        found = bytes(self.read(register, len(identity)))
        if found != identity:
            raise self.error(FAULT_IDENTITY, "is another chip: it says it is %s" % found.hex())
        self._identity = register, identity

    def configure(self, register, values):
        """Write bytes and read them back; SensorError if they did not stay."""
        self.write(register, values)
        if bytes(self.read(register, len(values))) != bytes(values):
            raise self.error(FAULT_NONSENSE, "does not keep its settings")

    def wait(self, register, mask, deadline, longest_ms):
        """Return the status in `register` as soon as all bits of `mask` are set; SensorError after `longest_ms`."""
        until = deadline.within(longest_ms)
        while True:
            status = self.byte(register)
            if status == 0xFF and self._stuck_high():
                raise self.error(FAULT_NONSENSE, "answers nonsense")
            if status & mask == mask:
                return status
            if until.over():
                raise self.error(FAULT_TIMEOUT, "has no new sample")
            self.sleep_ms(_POLL_MS)

    def _stuck_high(self):
        # Every bit set is what a bus without a chip reads, but also what an ST chip says whose samples were not fetched.
        if self._identity is None or self._identity[1] == b"\xff":
            return True
        register, identity = self._identity
        return bytes(self.read(register, len(identity))) != identity

    def error(self, code, text):
        """Return the SensorError that says so of this chip."""
        return SensorError(code, "the %s at address 0x%02x %s" % (self.name, self._address, text))
