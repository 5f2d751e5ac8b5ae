"""An LIS3MDL magnetometer, register by register; it goes on living while the ESP32 sleeps."""

import struct

import lis3mdl_core as core

_STATE = "<64sqqqBB"  # registers, start of the mode, sample seen, time judged, flags unread, overruns
_STATE_BYTES = 90
_READ_ONLY = (core.WHO_AM_I, core.STATUS_REG, core.INT_SRC) + tuple(range(core.OUT_X_L, core.TEMP_OUT_L + 2))
_AXES = 7


class Lis3mdl:
    """`field`: MagRecording; `state`: the file that keeps the registers until power is lost."""

    def __init__(self, address, field, state, noise_nt, seed):
        self.address = address
        self._field = field
        self._state = state
        self._noise_nt = noise_nt
        self._seed = seed
        self._pointer = 0
        self._increment = False
        self._latched = [None, None, None]
        self._load()

    def write(self, sent, street_us):
        if not sent:
            return
        self._pointer = sent[0] & 0x7F
        self._increment = bool(sent[0] & 0x80)
        for value in sent[1:]:
            self._write_register(self._pointer, value, street_us)
            self._step()

    def read(self, count, street_us, byte_us):
        got = bytearray(count)
        for i in range(count):
            got[i] = self._read_register(self._pointer, street_us + i * byte_us)
            self._step()
        self._save()
        return got

    def level(self, street_us):
        """Of the INT pin."""
        self._judge(street_us)
        return core.pin_level(self._registers, bool(self._registers[core.INT_SRC] & 1))

    def next_edge_us(self, from_us, to_us):
        """When the INT pin changes next."""
        self._judge(from_us)
        was = bool(self._registers[core.INT_SRC] & 1)
        if not core.interrupts(self._registers) or (was and not self._registers[core.INT_CFG] & 2):
            return None  # a latched interrupt stays until INT_SRC is read
        period_us = core.period_us(self._registers)
        us = self._sample_us(self._sample(from_us) + 1)
        while us <= to_us:
            if bool(core.interrupt_source(self._registers, self._outputs(us)) & 1) != was:
                return us
            us += period_us
        return None

    def temp_c100(self, street_us):
        return self._field.at(street_us // 1000)[3]

    def _step(self):
        if self._increment:
            self._pointer = (self._pointer + 1) % core.REGISTERS

    def _load(self):
        stored = self._state.read(_STATE_BYTES)
        if len(stored) == _STATE_BYTES:
            registers, self._start_us, self._seen, self._judged_us, self._unread, self._overrun = (
                struct.unpack(_STATE, stored)
            )
            self._registers = bytearray(registers)
        else:
            self._reset()

    def _reset(self):
        self._registers = bytearray(core.REGISTERS)
        for register, value in core.DEFAULTS.items():
            self._registers[register] = value
        self._start_us = self._judged_us = 0
        self._seen = -1
        self._unread = self._overrun = 0

    def _save(self):
        self._state.seek(0)
        self._state.write(
            struct.pack(
                _STATE,
                self._registers,
                self._start_us,
                self._seen,
                self._judged_us,
                self._unread,
                self._overrun,
            )
        )

    def _write_register(self, register, value, street_us):
        if register in _READ_ONLY or register >= core.REGISTERS:
            return
        self._judge(street_us)
        self._registers[register] = value
        if register == core.CTRL_REG2 and value & 0x04:
            self._reset()
        if register in (core.CTRL_REG1, core.CTRL_REG3):
            self._start_us = street_us  # the conversion begins anew
            self._seen = -1
            self._judged_us = street_us
        self._save()

    def _sample(self, us):
        """Number of the last finished conversion, -1 before the first."""
        mode = core.mode(self._registers)
        if mode > core.SINGLE or us < self._start_us:
            return self._seen  # power-down: the outputs keep their last values
        number = (us - self._start_us) // core.period_us(self._registers) - 1
        return min(number, 0) if mode == core.SINGLE else number

    def _sample_us(self, number):
        return self._start_us + (number + 1) * core.period_us(self._registers)

    def _outputs(self, us):
        ms = us // 1000
        return core.outputs(
            self._registers, self._field.at(ms)[:3], self._seed, core.noise_slot(ms), self._noise_nt
        )

    def _refresh(self, us):
        """Take in the conversions finished by now: flags and overruns."""
        number = self._sample(us)
        if number > self._seen:
            if self._unread or number > self._seen + 1:
                self._overrun = _AXES
            self._unread = _AXES
            self._seen = number
            self._write_outputs(self._sample_us(number))
        if core.mode(self._registers) == core.SINGLE and number == 0:
            self._registers[core.CTRL_REG3] |= 3  # back to power-down by itself

    def _write_outputs(self, us):
        for axis, value in enumerate(self._outputs(us)):
            place = core.OUT_X_L + 2 * axis
            self._registers[place : place + 2] = (value & 0xFFFF).to_bytes(2, "little")
        if self._registers[core.CTRL_REG1] & 0x80:
            temp = (self.temp_c100(us) - 2500) * 8 // 100  # 8 LSB/K, zero at 25 degrees
            self._registers[core.TEMP_OUT_L : core.TEMP_OUT_L + 2] = (temp & 0xFFFF).to_bytes(2, "little")

    def _judge(self, us):
        """Bring INT_SRC up to date with every conversion since it was last looked at."""
        self._refresh(us)
        if core.interrupts(self._registers):
            period_us = core.period_us(self._registers)
            first = max(0, (self._judged_us - self._start_us) // period_us)
            for number in range(first, self._sample(us) + 1):
                self._judge_sample(self._sample_us(number))
        self._judged_us = us

    def _judge_sample(self, us):
        source = core.interrupt_source(self._registers, self._outputs(us))
        latches = not self._registers[core.INT_CFG] & 2
        if not (latches and self._registers[core.INT_SRC] & 1):
            self._registers[core.INT_SRC] = source

    def _read_register(self, register, us):
        self._judge(us)
        if register == core.STATUS_REG:
            return self._status()
        if core.OUT_X_L <= register < core.TEMP_OUT_L:
            return self._read_output(register)
        value = self._registers[register % core.REGISTERS]
        if register == core.INT_SRC:
            self._registers[core.INT_SRC] = 0
        return value

    def _status(self):
        unread, overrun = self._unread, self._overrun
        whole = 0x08 if unread == _AXES else 0
        return overrun << 4 | (0x80 if overrun == _AXES else 0) | unread | whole

    def _read_output(self, register):
        axis = (register - core.OUT_X_L) // 2
        low = core.OUT_X_L + 2 * axis
        if register == low:
            # BDU: the high byte stays of the same conversion as the low byte. Without it a burst can be torn.
            blocked = self._registers[core.CTRL_REG5] & 0x40
            self._latched[axis] = self._registers[low + 1] if blocked else None
            return self._registers[low]
        self._unread &= ~(1 << axis)
        self._overrun &= ~(1 << axis)
        high, self._latched[axis] = self._latched[axis], None
        return self._registers[low + 1] if high is None else high
