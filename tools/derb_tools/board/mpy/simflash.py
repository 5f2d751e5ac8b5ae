"""NOR flash in a file: a program clears bits, an erase sets them, and power may go in the middle.

Every program, every erase and every NVS entry written is counted; at the chosen one the power is cut before,
in the middle of, or after it.
"""

import simctl

BLOCK_BYTES = 4096

_BLOCKS_SEEN_MAX = 64

_OP_BLOCK_COUNT = 4
_OP_BLOCK_BYTES = 5
_OP_ERASE = 6


class Meter:
    """Counts writes and cuts the power at one of them."""

    def __init__(self, clock, cut_at_write, cut_mode):
        self._clock = clock
        self._cut_at = cut_at_write
        self._mode = cut_mode
        self.writes = 0

    def step(self):
        """Count a write; returns how it must fail ("torn", "after") or None; not from a cut before it."""
        self.writes += 1
        if self.writes != self._cut_at:
            return None
        if self._mode == "before":
            self.cut()
        return self._mode

    def cut(self):
        self._clock.end("power_cut", cut_at_write=self.writes)


class Flash:
    """A block device on an image file, for VfsLfs2."""

    def __init__(self, image, meter):
        self._file = image
        self._meter = meter
        self._blocks = image.seek(0, 2) // BLOCK_BYTES
        self._seen = {}  # littlefs reads 32 bytes at a time, thousands of times a wake

    def readblocks(self, block, buf, offset=0):
        content = self._seen.get(block) or self._look_at(block)
        buf[:] = content[offset : offset + len(buf)]

    def writeblocks(self, block, buf, offset=None):
        if offset is None:
            self._erase(block)
            offset = 0
        simctl.stats.programs += 1
        how = self._meter.step()
        place = block * BLOCK_BYTES + offset
        bits = self._programmed(place, buf)
        if how == "torn":
            bits = _torn(bits, len(buf) // 2)
        self._seen.pop(block, None)
        self._file.seek(place)
        self._file.write(bits)
        if how:
            self._meter.cut()

    def ioctl(self, op, argument):
        if op == _OP_BLOCK_COUNT:
            return self._blocks
        if op == _OP_BLOCK_BYTES:
            return BLOCK_BYTES
        if op == _OP_ERASE:
            self._erase(argument)
        return 0

    def _look_at(self, block):
        if len(self._seen) == _BLOCKS_SEEN_MAX:
            self._seen.clear()
        content = bytearray(BLOCK_BYTES)
        self._file.seek(block * BLOCK_BYTES)
        self._file.readinto(content)
        self._seen[block] = memoryview(content)
        return self._seen[block]

    def _programmed(self, place, buf):
        if isinstance(buf, memoryview):
            buf = bytes(buf)
        old = bytearray(len(buf))
        self._file.seek(place)
        self._file.readinto(old)
        if old == b"\xff" * len(old):
            return buf
        return bytes([was & new for was, new in zip(old, buf)])

    def _erase(self, block):
        simctl.stats.erases += 1
        how = self._meter.step()
        self._seen.pop(block, None)
        size = BLOCK_BYTES // 2 if how == "torn" else BLOCK_BYTES
        self._file.seek(block * BLOCK_BYTES)
        self._file.write(b"\xff" * size)
        if how:
            self._meter.cut()


def _torn(bits, size):
    # The byte in which the power goes has only some of its bits programmed.
    if size < len(bits):
        return bits[:size] + bytes([bits[size] | 0x55])
    return bits
