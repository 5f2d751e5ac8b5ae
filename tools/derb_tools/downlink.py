"""A downlink as the node reads it (docs/protocol.md, Downlink), for `derb decode` and simulated fleets."""

import hmac
from dataclasses import dataclass

from derb_gateway.downlink import LABEL, RANGES_MAX, Range
from derb_gateway.frame import (
    FRAME_MAX_BYTES,
    TAG_BYTES,
    VERSION,
    BadTag,
    BadVersion,
    Malformed,
    TooLong,
    TooShort,
    tag,
)
from derb_gateway.wire import NumberError, read_varint

# Head, time, configuration version, number of ranges, tag.
FRAME_MIN_BYTES = 1 + 4 + 1 + 1 + TAG_BYTES
_SYNCHRONISED = 0x10


@dataclass(frozen=True, slots=True)
class Downlink:
    """A good downlink. `unix_s` is gateway time; sections are (type, bytes), also those not known here."""

    unix_s: int
    synchronised: bool
    config_version: int
    ranges: tuple[Range, ...]
    sections: tuple[tuple[int, bytes], ...]

    def to_json(self) -> dict[str, object]:
        """What `derb decode` prints."""
        return {
            "unix_s": self.unix_s,
            "synchronised": self.synchronised,
            "config_version": self.config_version,
            "ranges": [{"boot": r.boot, "first": r.first, "last": r.last} for r in self.ranges],
            "sections": [{"type": kind, "hex": content.hex()} for kind, content in self.sections],
        }


def decode_downlink(node: str, key: bytes, frame: bytes) -> Downlink:
    """Verify, then decode. Raises FrameError."""
    _check_head(frame)
    if not hmac.compare_digest(tag(LABEL, node, key, frame[:-TAG_BYTES]), frame[-TAG_BYTES:]):
        raise BadTag("the tag does not fit: another key, another node or a changed byte")
    end = len(frame) - TAG_BYTES
    try:
        config_version, at = read_varint(frame, 5, end)
        ranges, at = _ranges(frame, at, end)
    except NumberError as error:
        raise Malformed(str(error)) from None
    unix_s = int.from_bytes(frame[1:5], "little")
    return Downlink(unix_s, bool(frame[0] & _SYNCHRONISED), config_version, ranges, _sections(frame, at, end))


def _check_head(frame: bytes) -> None:
    if len(frame) > FRAME_MAX_BYTES:
        raise TooLong(f"{len(frame)} bytes; no frame has more than {FRAME_MAX_BYTES}")
    if len(frame) < FRAME_MIN_BYTES:
        raise TooShort(f"{len(frame)} bytes; no downlink has fewer than {FRAME_MIN_BYTES}")
    if frame[0] >> 5 != VERSION:
        raise BadVersion(f"version {frame[0] >> 5}; only version {VERSION} is known")
    if frame[0] & 0x0F:
        raise Malformed(f"kind {frame[0] & 0x0F} is not for a downlink")


def _ranges(frame: bytes, at: int, end: int) -> tuple[tuple[Range, ...], int]:
    count, at = read_varint(frame, at, end)
    if count > RANGES_MAX:
        raise Malformed(f"{count} ranges; a downlink holds {RANGES_MAX}")
    ranges = []
    for _ in range(count):
        boot, at = read_varint(frame, at, end)
        last, at = read_varint(frame, at, end)
        extra, at = read_varint(frame, at, end)
        if extra > last:
            raise Malformed("a range begins below sequence number 0")
        ranges.append(Range(boot, last - extra, last))
    return tuple(ranges), at


def _sections(frame: bytes, at: int, end: int) -> tuple[tuple[int, bytes], ...]:
    sections = []
    while at < end:
        content = at + 2
        if content > end or content + frame[at + 1] > end:
            raise Malformed("a section is cut off")
        sections.append((frame[at], frame[content : content + frame[at + 1]]))
        at = content + frame[at + 1]
    return tuple(sections)
