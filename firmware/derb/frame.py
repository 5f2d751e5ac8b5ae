"""The wire format, the node's half: uplinks out, downlinks in. Every byte is explained in docs/protocol.md."""

import hashlib
import struct

from micropython import const

from derb.reading import HEALTH, LEVEL, put_svarint, put_varint

MAX_FRAME = const(240)
TAG_SIZE = const(8)
KEY_SIZE = const(32)

_VERSION = const(1)
_BOUND = const(0x10)
_DOWNLINK = const(0)
_MAX_RANGES = const(8)
_ESCAPE = const(7)
_BLOCK = const(64)


class FrameError(Exception):
    """A downlink that is not for us, not intact or not understood; the text says which."""


def get_varint(buf, at):
    """Return (value, next position); FrameError if it is cut off, too long or not in its shortest form."""
    value = shift = 0
    while at < len(buf):
        byte = buf[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value > 0xFFFFFFFF or (byte == 0 and shift):
                raise FrameError("malformed number")
            return value, at
        shift += 7
        if shift > 28:  # five bytes are enough for 32 bits; a larger value in the fifth is caught above
            break
    raise FrameError("malformed number")


def tag(key, label, node, content):
    """Return the first 8 bytes of HMAC-SHA256 (RFC 2104) over label, node and content; `key` has 32 bytes."""
    return derive(key, label, node, content)[:TAG_SIZE]


def derive(key, label, node, content=b""):
    """Return all 32 bytes of the same HMAC."""
    pad = key + bytes(_BLOCK - len(key))
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in pad))
    inner.update(label)
    inner.update(node)
    inner.update(content)
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in pad))
    outer.update(inner.digest())
    return outer.digest()


def encode(key, node, kind, boot, age_s, age_is_bound, readings):
    """Return (frame, count): as many of the oldest `readings` as fit into one signed frame.

    `readings` are (sequence, time in s, payload), oldest first, with consecutive sequence numbers. `age_s(time)` gives the
    age in seconds of a reading at that time; `age_is_bound` says that it is only a lower bound.
    """
    count = 1 if kind == HEALTH else len(readings)
    while True:
        last = readings[count - 1]
        out = bytearray((_VERSION << 5 | (_BOUND if age_is_bound else 0) | kind,))
        put_varint(out, boot)
        put_varint(out, last[0])
        put_varint(out, max(0, age_s(last[1])))
        body = _level_body if kind == LEVEL else _chained_body
        body(out, readings, count)
        if len(out) + TAG_SIZE <= MAX_FRAME:
            return bytes(out + tag(key, b"derb1u", node, out)), count
        if count == 1:
            raise ValueError("one reading does not fit into a frame")
        count -= 1 + count // 16


def _chained_body(out, readings, count):
    out.extend(readings[count - 1][2])
    for i in range(count - 2, -1, -1):
        put_varint(out, max(0, readings[i + 1][1] - readings[i][1]))
        out.extend(readings[i][2])


def _level_body(out, readings, count):
    out.extend(readings[count - 1][2])
    if count == 1:
        return
    gaps = [max(0, readings[i + 1][1] - readings[i][1]) for i in range(count - 1)]
    interval = sorted(gaps)[(count - 1) // 2]
    put_varint(out, interval)
    for i in range(count - 2, -1, -1):
        off = gaps[i] - interval
        code = off * 2 if off >= 0 else -off * 2 - 1
        value = readings[i][2][0] | readings[i][2][1] << 8
        out.extend(struct.pack("<H", min(code, _ESCAPE) << 13 | value))
        if code >= _ESCAPE:
            put_svarint(out, off)


def decode_downlink(key, node, frame):
    """Return (unix_s, synchronised, config_version, ranges, sections) of a downlink, or raise FrameError.

    `ranges` are (boot, first, last) triples of readings that the gateway has on disk; `sections` are (type, bytes).
    """
    if not 15 <= len(frame) <= MAX_FRAME:
        raise FrameError("length")
    if frame[0] >> 5 != _VERSION or frame[0] & 15 != _DOWNLINK:
        raise FrameError("version or kind")
    end = len(frame) - TAG_SIZE
    if not same(tag(key, b"derb1d", node, frame[:end]), frame[end:]):
        raise FrameError("tag")
    body = frame[:end]
    unix_s = struct.unpack("<I", body[1:5])[0]
    version, at = get_varint(body, 5)
    ranges, at = _ranges(body, at)
    return unix_s, bool(frame[0] & _BOUND), version, ranges, _sections(body, at)


def same(a, b):
    """Return whether two tags are equal; takes as long whatever differs."""
    different = len(a) ^ len(b)
    for x, y in zip(a, b):
        different |= x ^ y
    return different == 0


def _ranges(body, at):
    count, at = get_varint(body, at)
    if count > _MAX_RANGES:
        raise FrameError("too many ranges")
    ranges = []
    for _ in range(count):
        boot, at = get_varint(body, at)
        last, at = get_varint(body, at)
        extra, at = get_varint(body, at)
        if extra > last:
            raise FrameError("malformed range")
        ranges.append((boot, last - extra, last))
    return ranges, at


def _sections(body, at):
    sections = []
    while at < len(body):
        if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
            raise FrameError("malformed section")
        sections.append((body[at], body[at + 2 : at + 2 + body[at + 1]]))
        at += 2 + body[at + 1]
    return sections
