"""Uplink frames: verify, then decode, as strictly as docs/protocol.md says. Pure, no I/O.

* FrameError
  * BadTopic, TooLong, TooShort, BadVersion, UnknownNode, BadTag, Malformed
"""

import hmac
import re
from typing import ClassVar

from derb_gateway.bodies import BODIES
from derb_gateway.errors import QuarantineError
from derb_gateway.readings import Uplink
from derb_gateway.wire import NumberError, read_varint

VERSION = 1
FRAME_MIN_BYTES = 13
FRAME_MAX_BYTES = 240
TAG_BYTES = 8
SEQUENCE_MAX = 16_383
_UPLINK = b"derb1u"
_TOPIC = re.compile(r"d/([0-9a-f]{12})/u")
_AGE_IS_LOWER_BOUND = 0x10


class FrameError(QuarantineError):
    """A message that is not a good frame; `reason` is the word the protocol page has for it."""

    reason: ClassVar[str]


class BadTopic(FrameError):
    """The topic is not d/<node>/u."""

    reason = "bad_topic"


class TooLong(FrameError):
    """More than 240 bytes."""

    reason = "too_long"


class TooShort(FrameError):
    """Fewer than 13 bytes."""

    reason = "too_short"


class BadVersion(FrameError):
    """Another version than 1."""

    reason = "bad_version"


class UnknownNode(FrameError):
    """There is no key for this node."""

    reason = "unknown_node"


class BadTag(FrameError):
    """Another key, another node or a changed byte."""

    reason = "bad_tag"


class Malformed(FrameError):
    """The tag is right and the content is not as the protocol page says."""

    reason = "malformed"


def node_of_topic(topic: str) -> str:
    """Return the node id of an uplink topic; BadTopic."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        msg = "the topic is not d/<12 lower-case hex digits>/u"
        raise BadTopic(msg)
    return match[1]


def check_head(frame: bytes, length: int) -> None:
    """Check what needs no key; `length` is the whole length, of which `frame` may be the beginning.

    Raises TooLong, TooShort, BadVersion.
    """
    if length > FRAME_MAX_BYTES:
        msg = f"{length} bytes; no frame has more than {FRAME_MAX_BYTES}"
        raise TooLong(msg)
    if length < FRAME_MIN_BYTES:
        msg = f"{length} bytes; no frame has fewer than {FRAME_MIN_BYTES}"
        raise TooShort(msg)
    if frame[0] >> 5 != VERSION:
        msg = f"version {frame[0] >> 5}; this gateway knows version {VERSION}"
        raise BadVersion(msg)


def check_tag(node: str, key: bytes, frame: bytes) -> None:
    """Raise BadTag unless the last 8 bytes are this node's HMAC-SHA256 over the rest."""
    if not hmac.compare_digest(tag(_UPLINK, node, key, frame[:-TAG_BYTES]), frame[-TAG_BYTES:]):
        msg = "the tag does not fit: another key, another node or a changed byte"
        raise BadTag(msg)


def tag(direction: bytes, node: str, key: bytes, untagged: bytes) -> bytes:
    """Return the first 8 bytes of HMAC-SHA256 (RFC 2104) over direction, node id and frame."""
    return hmac.digest(key, direction + bytes.fromhex(node) + untagged, "sha256")[:TAG_BYTES]


def decode_uplink(node: str, key: bytes | None, frame: bytes) -> Uplink:
    """Return a frame's readings; FrameError in the order of the protocol page. `key` None: unknown node."""
    check_head(frame, len(frame))
    if key is None:
        msg = f"there is no key for node {node}"
        raise UnknownNode(msg)
    check_tag(node, key, frame)
    return decode_unsigned(frame)


def decode_unsigned(frame: bytes) -> Uplink:
    """Return a frame's readings without asking who made it: to be shown, never to be kept. FrameError."""
    check_head(frame, len(frame))
    try:
        return _decode(frame, len(frame) - TAG_BYTES)
    except NumberError as error:
        raise Malformed(str(error)) from None


def _decode(frame: bytes, end: int) -> Uplink:
    kind = frame[0] & 0x0F
    decode_body = BODIES.get(kind)
    if decode_body is None:
        msg = f"kind {kind} is not for an uplink"
        raise Malformed(msg)
    boot, at = read_varint(frame, 1, end)
    sequence, at = read_varint(frame, at, end)
    age_s, at = read_varint(frame, at, end)
    if boot == 0:
        msg = "boot numbers start at 1"
        raise Malformed(msg)
    if sequence > SEQUENCE_MAX:
        msg = f"sequence number {sequence}; none is above {SEQUENCE_MAX}"
        raise Malformed(msg)
    readings = tuple(decode_body(frame, at, end, sequence, age_s))
    return Uplink(kind, boot, bool(frame[0] & _AGE_IS_LOWER_BOUND), readings)
