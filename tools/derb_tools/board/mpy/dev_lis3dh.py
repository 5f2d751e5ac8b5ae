"""An LIS3DH accelerometer, register by register; it goes on living while the ESP32 sleeps."""

import struct

import lis3dh_core as core

_WRITABLE = {
    core.CTRL_REG1: 0xFF,
    core.CTRL_REG2: 0xFF,
    core.CTRL_REG3: 0xF6,
    core.CTRL_REG4: 0xFF,
    core.CTRL_REG5: 0xCF,
    core.INT1_CFG: 0xFF,
    core.INT1_THS: 0x7F,
    core.INT1_DURATION: 0x7F,
}
_FULL = 511


class Lis3dh:
    """`course`: how it lies, see lis3dh_core; `state`: the file that keeps the registers until power is lost."""

    def __init__(self, address, course, state):
        self.address = address
        self._course = course
        self._state = state
        self._pointer = 0
        self._increment = False
        stored = state.read(core.STATE_BYTES)
        if len(stored) == core.STATE_BYTES:
            registers, self._start_us, self._since_us, self._next_us = struct.unpack(core.STATE, stored)
            self._registers = bytearray(registers)
        else:
            self._registers = bytearray(core.REGISTERS)
            for register, value in core.DEFAULTS.items():
                self._registers[register] = value
            self._start_us = self._since_us = self._next_us = 0

    def write(self, sent, street_us):
        if not sent:
            return
        self._pointer = sent[0] & 0x7F
        self._increment = bool(sent[0] & 0x80)
        for value in sent[1:]:
            self._judge(street_us)
            self._write_register(self._pointer, value, street_us)
            self._step()
        self._save()

    def read(self, count, street_us, byte_us):
        self._judge(street_us)
        got = bytearray(count)
        for i in range(count):
            got[i] = self._read_register(self._pointer, street_us)
            self._step()
        self._save()
        return got

    def level(self, street_us):
        """Of pin INT1."""
        self._judge(street_us)
        return int(core.active(self._registers))

    def next_edge_us(self, from_us, to_us):
        if core.active(self._registers):
            return None
        return core.fires_us(self._registers, self._course, self._since_us, from_us, to_us)

    def _step(self):
        if self._increment:
            self._pointer = (self._pointer + 1) % core.REGISTERS

    def _save(self):
        self._state.seek(0)
        self._state.write(
            struct.pack(core.STATE, self._registers, self._start_us, self._since_us, self._next_us)
        )

    def _write_register(self, register, value, street_us):
        if register not in _WRITABLE:
            return
        self._registers[register] = value & _WRITABLE[register]
        if register == core.CTRL_REG1:
            self._start_us, self._next_us = street_us, street_us + core.PERIOD_US
        if register in (core.CTRL_REG1, core.INT1_CFG, core.INT1_THS, core.INT1_DURATION):
            self._since_us = street_us

    def _judge(self, us):
        """Bring INT1_SRC up to date."""
        fired_us = core.fires_us(self._registers, self._course, self._since_us, self._since_us, us)
        if core.latches(self._registers):
            if fired_us is not None:
                core.latch(self._registers)
        else:
            now = core.fires_us(self._registers, self._course, self._since_us, us, us) is not None
            self._registers[core.INT1_SRC] = 0
            if now:
                core.latch(self._registers)

    def _read_register(self, register, us):
        if register == core.STATUS_REG:
            return 0x0F if core.measures(self._registers) and us >= self._next_us else 0
        if core.OUT_X_L <= register < core.OUT_X_L + 6:
            return self._output(register - core.OUT_X_L, us)
        value = self._registers[register]
        if register == core.INT1_SRC and core.active(self._registers):
            self._registers[core.INT1_SRC] = 0
            self._since_us = us  # and it takes as long again to be raised again
        return value

    def _output(self, at, us):
        samples = (us - self._start_us) // core.PERIOD_US
        felt_mg = core.pull_mg(self._course, self._start_us + samples * core.PERIOD_US)[at // 2]
        felt_mg += core.pushed_mg(self._registers)
        raw = max(-_FULL - 1, min(_FULL, felt_mg // 4)) << 6  # 10 bits, left in 16, 4 mg a count
        if at == 5:
            self._next_us = self._start_us + (samples + 1) * core.PERIOD_US
        return (raw & 0xFFFF).to_bytes(2, "little")[at % 2]
