"""The simulated magnetometers: each measures `sample`, the raw bytes of its output registers, in its own time."""

from fakes_bus import NONE, Chip


def registers(first, last, value=0):
    """The defaults of a stretch of registers."""
    return dict.fromkeys(range(first, last + 1), value)


class Timed(Chip):
    """A chip whose conversions end at `done_us`; None: none is under way. `never` makes it hang."""

    def __init__(self, sample=None):
        self.done_us = None
        self.never = False
        self.seen = False
        super().__init__()
        self.sample = sample

    def begin(self, after_ms):
        self.done_us = self.clock.us + after_ms * 1000
        self.seen = False

    def finished(self):
        return not self.never and self.done_us is not None and self.clock.us >= self.done_us

    def fresh(self):
        return self.finished()


class FakeQMC5883L(Timed):
    """Continuous at 10 Hz from the moment the mode says so; the ready bit falls when the data are read.

    Section 9.2.1: the first of the data that is read locks them, and none is new until the last one is read.
    """

    address = 0x0D
    defaults = registers(0x00, 0x0D) | {0x0D: 0xFF}
    writable = NONE | {0x09: 0xDD, 0x0A: 0xC1, 0x0B: 0xFF}
    outputs = range(0x06)

    def __init__(self, sample=bytes(6), temp=bytes(2), overflow=False):
        super().__init__(sample)
        self.overflow = overflow
        self.locked = False
        self.put(0x07, temp)

    def written(self, register, value):
        if register == 0x09 and value & 1 and not self.registers[0x09] & 1:
            assert self.registers[0x0B] == 1, "measures without the recommended set/reset period"
            self.begin(100)
        if register == 0x09 and not value & 1:
            self.done_us = None
            self.locked = False
        super().written(register, value)

    def was_read(self, register, value):
        if register == 0x06:
            if self.locked or not self.finished():
                return 0
            self.put(0x00, self.sample)
            return 1 | (2 if self.overflow else 0)
        if register == 0x05:
            self.begin(100)
        if register <= 0x05:
            self.locked = register < 0x05
        return value

    def fresh(self):
        # The six registers are read in one go; the last of them ends the sample.
        return self.finished()


class FakeQMC5883P(Timed):
    """Regular at 10 Hz in normal mode; reading the status clears its ready bit."""

    address = 0x2C
    defaults = registers(0x00, 0x0B) | {0x00: 0x80}
    writable = NONE | {0x0A: 0xFF, 0x0B: 0xCF, 0x29: 0x07}
    outputs = range(0x01, 0x07)

    def __init__(self, sample=bytes(6), overflow=False):
        super().__init__(sample)
        self.overflow = overflow
        self.told = False
        self.push = (600, 600, 600)  # what the self-test adds, in counts at 30 gauss

    def written(self, register, value):
        if register == 0x0B:
            assert self.registers[0x0A] & 3 == 0 or not value & 0x40, "begins the self-test while it measures"
        if register == 0x0A:
            before = self.registers[0x0A] & 3
            assert before == 0 or value & 3 in (0, before), "changed the mode without suspending"
            self.done_us = None
            if value & 3:
                self.begin(100)
        super().written(register, value)

    def was_read(self, register, value):
        if register != 0x09:
            return value
        if not self.finished():
            return 0
        self.put(0x01, self.sample)
        if self.registers[0x0B] & 0x40:
            assert self.registers[0x0B] & 0x0C == 0, "tests itself at another range"
            self.put(0x01, b"".join((count & 0xFFFF).to_bytes(2, "little") for count in self.push))
        self.told = True
        self.begin(100)
        return 1 | (2 if self.overflow else 0)

    def fresh(self):
        return self.told


class FakeHMC5883L(Timed):
    """Single measurements of 6 ms; the ready bit stays from the last one; a new gain counts from the second on."""

    address = 0x1E
    defaults = registers(0x00, 0x0C) | {
        0x00: 0x10,
        0x01: 0x20,
        0x02: 0x01,
        0x0A: 0x48,
        0x0B: 0x34,
        0x0C: 0x33,
    }
    writable = NONE | {0x00: 0x7F, 0x01: 0xE0, 0x02: 0x03}
    outputs = range(0x03, 0x09)
    elsewhere = 0  # "Register access": an invalid address reads 0
    bias = (
        b"\x01\xc4\x01\xa5\x01\xc4"  # 452, 421 and 452 counts, X Z Y: what the data sheet expects at gain 5
    )

    def __init__(self, sample=bytes(6)):
        super().__init__(sample)
        self.gain = 0x20
        self.ready = 0

    def written(self, register, value):
        if register == 0x02 and value == 1:
            self.begin(6)
        super().written(register, value)

    def was_read(self, register, value):
        if register in (0x02, 0x09) and self.finished() and not self.seen:
            self._finish()
        if register == 0x09:
            return self.ready
        return self.registers[register]

    def _finish(self):
        self.seen = True
        self.ready = 1
        self.registers[0x02] = 0x03
        biased = self.registers[0x00] & 3 == 1
        sample = self.bias if biased else self.sample
        # The sample under an old gain is a wild one, so that a driver that uses it is caught.
        self.put(0x03, sample if self.gain == self.registers[0x01] else b"\x07\xff" * 3)
        self.gain = self.registers[0x01]


class FakeMMC5983MA(Timed):
    """`sample` is the field as (x, y, z) in counts of 18 bits around 0; `offset` is the bridge's, which SET and RESET cancel."""

    address = 0x30
    defaults = registers(0x00, 0x0C) | {0x2F: 0x30}
    writable = NONE | {0x08: 0x03, 0x09: 0x7F, 0x0A: 0x9F, 0x0B: 0xFF, 0x0C: 0x46}
    unreadable = (0x09, 0x0A, 0x0B, 0x0C)
    outputs = range(0x07)

    def __init__(self, sample=(0, 0, 0), offset=(0, 0, 0), temp=125):
        self.offset = offset
        self.temp = temp
        self.coil = True  # False: SET and RESET do nothing
        self.thermometer = True  # False: it never finishes
        self.sign = 0  # after power-on nobody knows how it is magnetised
        self.task = 0
        self.ready_us = 0
        self.otp = 0x10
        super().__init__(sample)

    def written(self, register, value):
        assert self.clock.us >= self.ready_us, "spoke to it while it restarts"
        if register == 0x0A and value & 0x80:
            self.ready_us = self.clock.us + 10000
            self.sign = 0
        if register == 0x09:
            assert value in (1, 2, 8, 0x10), "more than one task at a time"
            self._command(value)

    def _command(self, value):
        if value in (8, 0x10):
            self.sign = 1 if value == 8 or not self.coil else -1
            self.pulse_us = self.clock.us
            return
        if value == 1:
            assert self.sign, "measures in an unknown magnetisation"
            assert self.clock.us >= self.pulse_us + 500, "measures in the middle of the pulse"
        self.task = value
        self.begin(8 if value == 1 else 1)
        if value == 2 and not self.thermometer:
            self.done_us = None

    def was_read(self, register, value):
        if register == 0x08:
            if self.finished() and not self.seen:
                self._finish()
            return self.otp | (self.task if self.finished() else 0)
        return self.registers[register]

    def _finish(self):
        self.seen = True
        if self.task == 2:
            self.registers[0x07] = self.temp
            return
        low = 0
        for i in range(3):
            raw = max(0, min(0x3FFFF, 0x20000 + self.sign * self.sample[i] + self.offset[i]))
            self.put(2 * i, bytes((raw >> 10, raw >> 2 & 0xFF)))
            low |= (raw & 3) << (6 - 2 * i)
        self.registers[0x06] = low


class FakeRM3100(Timed):
    """Polled; a measurement takes 35 us a cycle, whichever axes; `oscillators` are those that pass the self-test."""

    address = 0x20
    defaults = (
        registers(0x00, 0x0B)
        | registers(0x24, 0x2C)
        | {0x05: 200, 0x07: 200, 0x09: 200}
        | {
            0x33: 0,
            0x34: 0,
            0x35: 0x1B,
            0x36: 0x22,
        }
    )
    writable = NONE | {0x00: 0x70, 0x01: 0x7D, 0x33: 0x8F, 0x35: 0x0B} | registers(0x04, 0x09, 0xFF)
    outputs = range(0x24, 0x2D)

    def __init__(self, sample=bytes(9)):
        super().__init__(sample)
        self.oscillators = 0x70

    def written(self, register, value):
        self.done_us = None  # any write clears the ready bit
        super().written(register, value)
        if register == 0x00:
            assert not self.registers[0x01] & 1, "polled while it measures by itself"
            self.begin(self.registers[0x05] * 35 // 1000)

    def was_read(self, register, value):
        if register == 0x34:
            return 0x80 if self.finished() else 0
        if register == 0x33 and value & 0x80 and self.finished():
            assert value & 0x0F, "no time or no periods to test in"
            return value | self.oscillators
        if register in self.outputs:
            assert not self.registers[0x33] & 0x80, "took a self-test for a sample"
            return self.sample[register - 0x24]
        return value


class FakeLIS3MDL(Timed):
    """Continuous at 1.25 or 80 Hz; the self-test adds `bias`; reading INT_SRC lets the pin go.

    A sample has the offset of the moment in which its conversion began.
    """

    address = 0x1C
    increment = 0x80
    defaults = (
        registers(0x05, 0x0A) | {0x0F: 0x3D, 0x20: 0x10, 0x21: 0, 0x22: 3, 0x23: 0, 0x24: 0, 0x27: 0}
        | registers(0x28, 0x2F) | {0x30: 0xE8, 0x31: 0, 0x32: 0, 0x33: 0}
    )  # fmt: skip
    writable = registers(0x05, 0x0A, 0xFF) | {
        0x20: 0xFF, 0x21: 0x6C, 0x22: 0x27, 0x23: 0x0E, 0x24: 0xC0, 0x30: 0xE7 | 0x08, 0x32: 0xFF, 0x33: 0x7F,
    }  # fmt: skip
    outputs = range(0x28, 0x2E)

    def __init__(self, sample=(0, 0, 0), temp=0, bias=(4562, 4562, 1140), offset_sign=1):
        super().__init__(sample)
        self.bias = bias
        self.offset_sign = offset_sign  # 0: the offset does nothing, -1: it is added
        self.put(0x2E, (temp & 0xFFFF).to_bytes(2, "little"))

    def written(self, register, value):
        super().written(register, value)
        if register in (0x20, 0x22):
            self.done_us = None
            if self.registers[0x22] & 3 == 0:
                self.begin(self.period_ms())

    def period_ms(self):
        return 800 if self.registers[0x20] & 0x1C == 0x04 else 13

    def was_read(self, register, value):
        if register == 0x27:
            return self._status()
        if register == 0x2D:
            self.begin(self.period_ms())
        if register == 0x31:
            self.registers[0x31] = 0
        return value

    def _status(self):
        if not self.finished():
            return 0
        overrun = self.clock.us >= self.done_us + self.period_ms() * 1000
        offsets = self._offsets_now() if overrun else self.offsets
        for i in range(3):
            bias = self.bias[i] if self.registers[0x20] & 1 else 0
            raw = max(-32767, min(32767, self.sample[i] + bias))
            raw = max(-32767, min(32767, raw - self.offset_sign * offsets[i]))
            self.put(0x28 + 2 * i, (raw & 0xFFFF).to_bytes(2, "little"))
        return 0xFF if overrun else 0x0F

    def begin(self, after_ms):
        super().begin(after_ms)
        self.offsets = self._offsets_now()

    def _offsets_now(self):
        pairs = [self.registers[at] | self.registers[at + 1] << 8 for at in (0x05, 0x07, 0x09)]
        return [pair - ((pair & 0x8000) << 1) for pair in pairs]
