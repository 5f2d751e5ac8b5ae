"""Asking for pieces of an update, and reading them: frames of kind 15 in docs/protocol.md."""

from micropython import const

from derb import frame, reading

CHUNK = const(192)
WINDOW = const(6)  # chunks in one answer

_HEAD = const(0x2F)  # version 1, kind 15
_LEAST = const(5)  # bytes of an ask without its tag


def ask(key, node, version, file, offset, count):
    """Return the frame that asks for `count` chunks; version 0 and count 0: for nothing but a downlink."""
    out = bytearray((_HEAD,))
    for number in (version, file, offset):
        reading.put_varint(out, number)
    out.append(count)
    out.extend(bytes(max(0, _LEAST - len(out))))
    return bytes(out + frame.tag(key, b"derb1u", node, out))


def is_chunk(packed):
    """Return whether a downlink says that it is a chunk."""
    return len(packed) > 0 and packed[0] & 15 == _HEAD & 15


def read(key, node, packed):
    """Return (version, file, offset, content) of a chunk; raise FrameError."""
    if not 12 <= len(packed) <= frame.MAX_FRAME:
        raise frame.FrameError("length")
    if packed[0] != _HEAD:
        raise frame.FrameError("version or kind")
    body = packed[: -frame.TAG_SIZE]
    if not frame.same(frame.tag(key, b"derb1d", node, body), packed[-frame.TAG_SIZE :]):
        raise frame.FrameError("tag")
    version, at = frame.get_varint(body, 1)
    file, at = frame.get_varint(body, at)
    offset, at = frame.get_varint(body, at)
    return version, file, offset, body[at:]
