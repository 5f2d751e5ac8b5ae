"""The simulated LIS3DH: `pull_mg` is what it feels; interrupt 1 judges every sample at 10 Hz."""

from fakes_bus import NONE
from fakes_magnetometers import Timed, registers


class FakeLIS3DH(Timed):
    address = 0x18
    increment = 0x80
    defaults = (
        registers(0x1E, 0x26)
        | registers(0x27, 0x2D)
        | registers(0x30, 0x33)
        | {0x0F: 0x33, 0x20: 0x07, 0x1E: 0x10}
    )
    writable = NONE | {
        0x20: 0xFF,
        0x21: 0xFF,
        0x22: 0xF6,
        0x23: 0xFF,
        0x24: 0xCF,
        0x30: 0xFF,
        0x32: 0x7F,
        0x33: 0x7F,
    }
    outputs = range(0x28, 0x2E)

    def __init__(self, pull_mg=(0, 0, 1000)):
        self.low_samples = 0
        self.push_mg = (400, 400, 400)  # what the self-test adds
        self.samples_since = 0
        super().__init__(pull_mg)

    def written(self, register, value):
        super().written(register, value)
        if register == 0x23:
            assert value & 6 in (0, 2), "only self-test 0 is simulated"
            self.samples_since = 0
        if register == 0x20:
            self.done_us = None
            if value >> 4:
                assert value >> 4 == 2, "only 10 Hz is simulated"
                self.begin(100)

    def feel(self, pull_mg, samples):
        """Let it feel this for so many samples."""
        self.sample = pull_mg
        for _ in range(samples):
            self._judge()

    def pin(self):
        return bool(self.registers[0x31] & 0x40)

    def _judge(self):
        # INT1_CFG with AOI = 6D = 0: any enabled axis event; only "low" events are simulated.
        enabled = self.registers[0x30]
        assert enabled & ~0x15 == 0
        threshold_mg = self.registers[0x32] * 16
        low = any(enabled & 1 << 2 * i and abs(self.sample[i]) < threshold_mg for i in range(3))
        self.low_samples = self.low_samples + 1 if low else 0
        if low and self.low_samples > self.registers[0x33]:
            self.registers[0x31] |= 0x40

    def was_read(self, register, value):
        if register == 0x27:
            return self._status()
        if register == 0x2D:
            self.samples_since += 1
            self.begin(100)
        if register == 0x31:
            self.registers[0x31] = 0
        return value

    def _status(self):
        if not self.finished():
            return 0
        for i in range(3):
            pushed_mg = self.push_mg[i] if self.registers[0x23] & 2 else 0
            if self.samples_since == 0:
                pushed_mg //= 2  # table 4, note 6: right after two samples
            raw = max(-512, min(511, (self.sample[i] + pushed_mg) // 4)) << 6
            self.put(0x28 + 2 * i, (raw & 0xFFFF).to_bytes(2, "little"))
        return 0xFF if self.clock.us >= self.done_us + 100000 else 0x0F  # with overruns
