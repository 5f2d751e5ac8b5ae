"""What relay and gateway say to each other, as bytes (docs/protocol.md, The serial line of a relay). Pure."""

import struct

from micropython import const

PROTOCOL = const(1)

SELF = const(0x01)
UPLINK = const(0x02)
DONE = const(0x03)
ASK = const(0x81)
DOWNLINK = const(0x82)
TAKEN = const(0x83)

# What became of a downlink.
SENT = const(0)
UNHEARD = const(1)
HELD = const(2)
NO_ROOM = const(3)
RADIO_FAILED = const(4)

_SELF = "<BB6sIIIBH"
_UPLINK = "<BBIb6s"
_DOWNLINK = "<BBH6s"
_DOWNLINK_SIZE = const(10)
_FRAME_SIZES = (13, 240)


def self_description(relay, start, uptime_s, version, channel, room, chip, counters):
    """Return the relay's description of itself; `chip` is text, `counters` are numbers in the order of the protocol."""
    chip = chip.encode()[:32]
    head = struct.pack(_SELF, SELF, PROTOCOL, relay, start, uptime_s, version, channel, room)
    return head + bytes((len(chip),)) + chip + b"".join([struct.pack("<I", n & 0xFFFFFFFF) for n in counters])


def uplink(number, held_ms, rssi_dbm, node, packet):
    """Return a packet from the air, with how long the relay has had it."""
    return struct.pack(_UPLINK, UPLINK, number, min(held_ms, 0xFFFFFFFF), rssi_dbm, node) + packet


def done(number, result):
    """Return what became of downlink `number`."""
    return bytes((DONE, number, result))


def read(content):
    """Return (kind, ...) of what the gateway says, or None if it is not understood.

    (ASK, channel), (DOWNLINK, number, hold_s, node, frame), (TAKEN, numbers).
    """
    kind, size = content[0], len(content)
    if kind == ASK and size == 2 and content[1] <= 13:
        return ASK, content[1]
    if kind == TAKEN and size >= 2:
        return TAKEN, content[1:]
    if kind == DOWNLINK and _FRAME_SIZES[0] <= size - _DOWNLINK_SIZE <= _FRAME_SIZES[1]:
        _, number, hold_s, node = struct.unpack(_DOWNLINK, content[:_DOWNLINK_SIZE])
        return DOWNLINK, number, hold_s, node, content[_DOWNLINK_SIZE:]
    return None
