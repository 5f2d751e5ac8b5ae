"""What goes on around a board that sleeps: the magnetometer measures on and may raise its interrupt."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from .mpy import lis3dh_core as tilt
from .mpy import lis3mdl_core as core
from .mpy.recording import MagRecording
from .parts import Level, Lis3dh, Lis3mdl, Part

_STATE = "<64sqqqBB"  # as in mpy/dev_lis3mdl.py
_SIGMAS = 7


class SleepingChip:
    """An LIS3MDL as its state file left it, able to look ahead in its recording."""

    def __init__(self, part: Lis3mdl, state: Path) -> None:
        self._part = part
        self._file = state
        stored = state.read_bytes()
        self.powered = len(stored) == struct.calcsize(_STATE)
        self._fields = list(struct.unpack(_STATE, stored)) if self.powered else []
        self.registers = bytearray(self._fields[0]) if self.powered else bytearray(core.REGISTERS)

    def interrupt_us(self, from_us: int, to_us: int) -> int | None:
        """When, in that span, the threshold interrupt is raised first."""
        if self.registers[core.INT_SRC] & 1 and core.interrupts(self.registers):
            return from_us
        if not self.powered or not core.interrupts(self.registers):
            return None
        with self._part.recording.open("rb") as file:
            return self._search(MagRecording(file, self._part.start_ms), from_us, to_us)

    def level(self, interrupt: bool) -> int:
        return core.pin_level(self.registers, interrupt)

    def slept(self, interrupt_us: int | None, until_us: int) -> None:
        """Write down what the chip looks like at the end of the sleep."""
        if not self.powered:
            return
        if interrupt_us is not None and interrupt_us <= until_us:
            with self._part.recording.open("rb") as file:
                self._latch(MagRecording(file, self._part.start_ms), interrupt_us)
        self._fields[0] = bytes(self.registers)
        self._fields[3] = max(self._fields[3], until_us)
        self._file.write_bytes(struct.pack(_STATE, *self._fields))

    def _search(self, field: MagRecording, from_us: int, to_us: int) -> int | None:
        start_us: int = self._fields[1]
        period_us = core.period_us(self.registers)
        number = max(0, (from_us - start_us) // period_us)
        us = start_us + (number + 1) * period_us
        while us <= to_us:
            next_us = field.next_ms(us // 1000) * 1000
            if self._near_threshold(field, us):
                found = self._first(field, us, min(next_us, to_us + 1), period_us)
                if found is not None:
                    return found
            us += max(1, -(-(next_us - us) // period_us)) * period_us
        return None

    def _first(self, field: MagRecording, us: int, before_us: int, period_us: int) -> int | None:
        while us < before_us:
            if core.interrupt_source(self.registers, self._outputs(field, us)) & 1:
                return us
            us += period_us
            if not self._part.noise_nt:
                return None
        return None

    def _near_threshold(self, field: MagRecording, us: int) -> bool:
        """Whether noise could carry this sample of the recording over the threshold."""
        x, y, z, _ = field.at(us // 1000)
        reach_nt = _SIGMAS * self._part.noise_nt
        for shift in {-reach_nt, 0, reach_nt}:
            out = core.outputs(self.registers, (x + shift, y + shift, z + shift), 0, 0, 0)
            if core.interrupt_source(self.registers, out) & 1:
                return True
        return False

    def _outputs(self, field: MagRecording, us: int) -> list[int]:
        ms = us // 1000
        x, y, z, _ = field.at(ms)
        return core.outputs(
            self.registers, (x, y, z), self._part.seed, core.noise_slot(ms), self._part.noise_nt
        )

    def _latch(self, field: MagRecording, us: int) -> None:
        if not self.registers[core.INT_SRC] & 1:
            self.registers[core.INT_SRC] = core.interrupt_source(self.registers, self._outputs(field, us))


def pin_reaches(
    parts: Sequence[Part], chip_state: Path, gpio: int, level: int, from_ms: int, to_ms: int
) -> int | None:
    """When, in that span of street time, a pin has that level first; None for a pin that nothing drives."""
    for part in parts:
        if isinstance(part, Level) and part.pin == gpio:
            return _level_reaches(part, level, from_ms, to_ms)
        if isinstance(part, Lis3mdl) and part.int_pin == gpio:
            return _chip_reaches(SleepingChip(part, chip_state), level, from_ms, to_ms)
        if isinstance(part, Lis3dh) and part.int_pin == gpio:
            return _tilt_reaches(part, chip_state.with_name("lis3dh"), level, from_ms, to_ms)
    return None


def _tilt_reaches(part: Lis3dh, state: Path, level: int, from_ms: int, to_ms: int) -> int | None:
    stored = state.read_bytes()
    if not level or len(stored) != tilt.STATE_BYTES:
        return None if level else from_ms
    registers, _, since_us, _ = struct.unpack(tilt.STATE, stored)
    course = [list(change) for change in part.course]
    if tilt.active(registers):
        return from_ms
    us = tilt.fires_us(registers, course, since_us, from_ms * 1000, to_ms * 1000)
    return None if us is None else -(-us // 1000)


def _level_reaches(part: Level, level: int, from_ms: int, to_ms: int) -> int | None:
    now = part.at_rest
    for ms, changed in part.changes:
        if ms <= from_ms:
            now = changed
        elif now != level and changed == level and ms <= to_ms:
            return ms
    return from_ms if now == level else None


def _chip_reaches(chip: SleepingChip, level: int, from_ms: int, to_ms: int) -> int | None:
    us = chip.interrupt_us(from_ms * 1000, to_ms * 1000)
    if chip.level(False) == level and us != from_ms * 1000:
        return from_ms  # the level at rest is the one that wakes: the board cannot sleep at all
    return -(-us // 1000) if us is not None and chip.level(True) == level else None


def let_chips_sleep(parts: Sequence[Part], chip_state: Path, from_ms: int, until_ms: int) -> None:
    """Bring the chips' state files to the end of a sleep."""
    for part in parts:
        if isinstance(part, Lis3mdl):
            chip = SleepingChip(part, chip_state)
            chip.slept(chip.interrupt_us(from_ms * 1000, until_ms * 1000), until_ms * 1000)
