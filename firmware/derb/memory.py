"""What a node remembers while it sleeps: one record in RTC memory, kept twice, each copy with its own checksum.

RTC memory is not initialised at power-on and nothing on the chip checks it, so every load is an examination: a copy
counts only if its magic, version, length and CRC-32 fit. Two copies are written in turn; a reset in the middle of a
write costs one wake's changes, not everything. Behind them is room for a short note that is written at every step.
"""

import binascii
import struct

from micropython import const

RTC_BYTES = const(2048)
SLOT_SIZE = const(1008)
MAX_RECORD = const(992)  # SLOT_SIZE less the head
NOTE_SIZE = const(32)

_HEAD = "<4sIHxxI"  # magic with version, count of saves, length, CRC-32 of count, length and record
_HEAD_SIZE = const(16)
_NOTE_AT = const(2016)  # behind both slots
_MAGIC = b"DRB\x05"  # the last letter changes whenever the layout of the record does


class Memory:
    """The record in `rtc`, which offers `memory()` and `memory(bytes)` as machine.RTC does (2,048 bytes)."""

    def __init__(self, rtc):
        self._rtc = rtc
        self._saves = 0
        self._image = bytearray(RTC_BYTES)
        kept = rtc.memory()[:RTC_BYTES]
        self._image[: len(kept)] = kept

    def load(self):
        """Return the newest intact record, or None if there is none."""
        best = None
        for at in (0, SLOT_SIZE):
            found = _examine(memoryview(self._image)[at : at + SLOT_SIZE])
            if found and (best is None or found[0] > self._saves):
                self._saves, best = found
        return best

    def save(self, record):
        """Keep `record` (at most MAX_RECORD bytes) in the older of the two copies."""
        if len(record) > MAX_RECORD:
            raise ValueError("record too long")
        self._saves += 1
        at = SLOT_SIZE if self._saves & 1 else 0
        struct.pack_into(_HEAD, self._image, at, _MAGIC, self._saves, len(record), _crc(self._saves, record))
        at += _HEAD_SIZE
        self._image[at : at + len(record)] = record
        self._rtc.memory(self._image)

    def note(self):
        """Return the bytes of the note, sound or not."""
        return bytes(self._image[_NOTE_AT:])

    def keep_note(self, note):
        """Keep a note of at most NOTE_SIZE bytes."""
        self._image[_NOTE_AT : _NOTE_AT + len(note)] = note
        self._rtc.memory(self._image)


def _crc(saves, record):
    return binascii.crc32(record, binascii.crc32(struct.pack("<IH", saves, len(record)))) & 0xFFFFFFFF


def _examine(slot):
    magic, saves, length, crc = struct.unpack(_HEAD, slot[:_HEAD_SIZE])
    if magic != _MAGIC or length > MAX_RECORD:
        return None
    record = bytes(slot[_HEAD_SIZE : _HEAD_SIZE + length])
    return (saves, record) if crc == _crc(saves, record) else None
