"""What a node remembers while it sleeps: one record in RTC memory, kept twice, each copy with its own checksum.

RTC memory is not initialised at power-on and nothing on the chip checks it, so every load is an examination: a copy
counts only if its magic, version, length and CRC-32 fit. Two copies are written in turn; a reset in the middle of a
write costs one wake's changes, not everything.
"""

import binascii
import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


SLOT_SIZE = const(1024)
MAX_RECORD = const(1008)  # SLOT_SIZE less the head

_HEAD = "<4sIHxxI"  # magic with version, count of saves, length, CRC-32 of count, length and record
_HEAD_SIZE = const(16)
_MAGIC = b"DRB\x04"  # the last letter changes whenever the layout of the record does


class Memory:
    """The record in `rtc`, which offers `memory()` and `memory(bytes)` as machine.RTC does (2,048 bytes)."""

    def __init__(self, rtc):
        self._rtc = rtc
        self._saves = 0
        self._slots = [b"", b""]

    def load(self):
        """Return the newest intact record, or None if there is none."""
        raw = self._rtc.memory()
        best = None
        for i in (0, 1):
            slot = bytes(raw[i * SLOT_SIZE : (i + 1) * SLOT_SIZE])
            found = _examine(slot)
            if found and (best is None or found[0] > self._saves):
                self._saves, best = found
            self._slots[i] = slot if found else b""
        return best

    def save(self, record):
        """Keep `record` (at most MAX_RECORD bytes) in the older of the two copies."""
        if len(record) > MAX_RECORD:
            raise ValueError("record too long")
        self._saves += 1
        crc = _crc(self._saves, record)
        self._slots[self._saves & 1] = struct.pack(_HEAD, _MAGIC, self._saves, len(record), crc) + record
        first, second = self._slots
        self._rtc.memory(first + bytes(SLOT_SIZE - len(first)) + second)


def _crc(saves, record):
    return binascii.crc32(record, binascii.crc32(struct.pack("<IH", saves, len(record)))) & 0xFFFFFFFF


def _examine(slot):
    if len(slot) < _HEAD_SIZE:
        return None
    magic, saves, length, crc = struct.unpack(_HEAD, slot[:_HEAD_SIZE])
    record = slot[_HEAD_SIZE : _HEAD_SIZE + length]
    if magic != _MAGIC or len(record) != length or crc != _crc(saves, record):
        return None
    return saves, record
