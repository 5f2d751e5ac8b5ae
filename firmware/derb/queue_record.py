"""The outbox's record in RTC memory: its head, and the readings that are nowhere else."""

import struct

from micropython import const

ENTRY_SIZE = const(8)

_HEAD = "<IIIHH"  # boot, first boot since power-on, shed, next sequence, readings on flash
_HEAD_SIZE = const(16)
_ENTRY = "<BBHI"  # payload length, kind, sequence, time
_UNKNOWN = const(65535)


def next_sequence(record):
    """Return the sequence number that comes next, None if the record is not sound."""
    found = unpack(record)
    return found and found[0][3]


def unpack(record):
    """Return (head, ring): numbers as in `_HEAD`, the last None if not known, and (sequence, kind, time, payload), oldest first.

    None if the record is not sound.
    """
    if len(record) < _HEAD_SIZE:
        return None
    ring, at = [], _HEAD_SIZE
    while at + ENTRY_SIZE <= len(record):
        length, kind, number, t = struct.unpack(_ENTRY, record[at : at + ENTRY_SIZE])
        at += ENTRY_SIZE + length
        ring.append((number, kind, t, bytes(record[at - length : at])))
    if at != len(record):
        return None
    head = struct.unpack(_HEAD, record[:_HEAD_SIZE])
    return head[:4] + (None if head[4] == _UNKNOWN else head[4],), ring


def pack(head, ring):
    """Return the record of what `unpack` returns."""
    flash = _UNKNOWN if head[4] is None else min(head[4], _UNKNOWN - 1)
    out = bytearray(struct.pack(_HEAD, *head[:4], flash))
    for sequence, kind, t, payload in ring:
        out.extend(struct.pack(_ENTRY, len(payload), kind, sequence, t))
        out.extend(payload)
    return bytes(out)
