"""What a reading says, as bytes: kinds, values, payloads. Every byte is explained in docs/protocol.md."""

import struct

from micropython import const

PARKING = const(1)
LEVEL = const(2)
HEALTH = const(3)
ALARM = const(4)
ANSWER = const(5)

UNKNOWN = const(0)
FREE = const(1)
OCCUPIED = const(2)

# Level records: a distance, or one of these.
MAX_DISTANCE_MM = const(8185)
UNSTABLE = const(8188)
TOO_CLOSE = const(8189)
TOO_FAR = const(8190)
NO_ECHO = const(8191)

# Alarm codes.
FULL = const(1)
COLLECTED = const(2)
FIRE = const(3)
TILT = const(4)
SENSOR_FAULT = const(5)
READINGS_SHED = const(6)
CONFIG_REFUSED = const(7)
CONFIG_RETURNED = const(8)
UPDATE_RETURNED = const(9)

_DURATION_TOP = const(491520)
_DURATION_UNKNOWN = const(255)


def put_varint(out, value):
    """Append `value` (0 to 2^32 - 1) to the bytearray `out` as unsigned LEB128."""
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def put_svarint(out, value):
    """Append a signed number as the varint of its zigzag."""
    put_varint(out, value * 2 if value >= 0 else -value * 2 - 1)


def duration_code(seconds):
    """Return the one-byte code of a duration, never above it; None or a negative one is 'not known'."""
    if seconds is None or seconds < 0:
        return _DURATION_UNKNOWN
    if seconds >= _DURATION_TOP:
        return 254
    exponent = 0
    while seconds > 31:
        seconds >>= 1
        exponent += 1
    if seconds < 16:
        return seconds
    return (exponent + 1) << 4 | seconds - 16


def parking_payload(state, confidence, previous_s):
    """Return the 2 bytes of a parking reading; `confidence` in percent, `previous_s` seconds or None."""
    return bytes((state << 6 | (confidence * 63 + 50) // 100, duration_code(previous_s)))


def level_payload(value):
    """Return the 2 bytes of a level reading: a distance in mm, or UNSTABLE, TOO_CLOSE, TOO_FAR, NO_ECHO."""
    return struct.pack("<H", value)


def health_payload(fields):
    """Return the bytes of a health reading from (field number, value) pairs in rising order of the number."""
    out = bytearray()
    for number, value in fields:
        put_varint(out, number)
        put_svarint(out, value)
    return bytes(out)


def alarm_payload(code, value):
    """Return the bytes of an alarm reading."""
    out = bytearray((code,))
    put_svarint(out, value)
    return bytes(out)
