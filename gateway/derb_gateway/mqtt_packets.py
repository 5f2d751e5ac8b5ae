"""The two packets that come and go by the thousand, in bytes. Pure.

A library takes and makes one at a time, with several objects and a write to the socket for each: more work than all that a
gateway does with a frame. Source: MQTT 3.1.1 and MQTT 5.0, sections 3.3 (PUBLISH) and 3.4 (PUBACK), the same in both but for
PUBLISH's properties.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

PUBACK = 0x40
_PUBLISH = 0x30
_RETAIN = 0x01
_DUP = 0x08
_V5 = 5
_LENGTH_MAX = 268_435_455  # 1.5.5: four bytes of seven bits


class Message(NamedTuple):
    """A PUBLISH that came; `mid` 0 at QoS 0, `topic` empty if it is no text."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    dup: bool


def plain_message(header: int, body: bytes | bytearray, version: int) -> Message | None:
    """Return the message of a PUBLISH at QoS 0 or 1 without properties; None for any other, well formed or not.

    `header` is the packet's first byte, `body` what follows its length.
    """
    qos = header >> 1 & 3
    if qos > 1 or len(body) < 3:
        return None
    topic_end = 2 + (body[0] << 8 | body[1])
    at = topic_end + (2 if qos else 0) + (1 if version == _V5 else 0)
    if at > len(body) or topic_end == 2 or (version == _V5 and body[at - 1]):
        return None
    try:
        topic = body[2:topic_end].decode()
    except UnicodeDecodeError:
        return None
    mid = body[topic_end] << 8 | body[topic_end + 1] if qos else 0
    return Message(topic, bytes(body[at:]), mid, qos, header & _DUP != 0)


def pubacks(mids: Iterable[int]) -> bytes:
    """Return a PUBACK for each packet id, 1 to 65,535, in their order: taken, no reason given."""
    return b"".join([struct.pack("!BBH", PUBACK, 2, mid) for mid in mids])


def publish(topic: str, payload: bytes, *, retain: bool, version: int) -> bytes:
    """Return a PUBLISH at QoS 0 for MQTT version 4 or 5; ValueError for what no packet holds."""
    name = topic.encode()
    if not name or len(name) > 0xFFFF:
        msg = f"a topic of {len(name)} bytes"
        raise ValueError(msg)
    rest = struct.pack("!H", len(name)) + name + (b"\0" if version == _V5 else b"") + payload
    return bytes([_PUBLISH | _RETAIN if retain else _PUBLISH]) + _length(len(rest)) + rest


def _length(count: int) -> bytes:
    """Return a remaining length (1.5.5), the lowest seven bits first."""
    if count > _LENGTH_MAX:
        msg = f"a packet of {count} bytes"
        raise ValueError(msg)
    out = bytearray()
    while count > 0x7F:
        out.append(count & 0x7F | 0x80)
        count >>= 7
    out.append(count)
    return bytes(out)
