"""Asks and chunks: what a node fetches and the gateway does not keep (docs/protocol.md, Ask and chunk). Pure."""

from typing import NamedTuple

from derb_gateway.downlink import LABEL
from derb_gateway.frame import TAG_BYTES, VERSION, Malformed, check_head, check_tag, tag
from derb_gateway.wire import NumberError, read_varint, write_varint

ASK = 15
CHUNK_BYTES = 192
WINDOW = 6


class Ask(NamedTuple):
    """So many chunks of a file, from an offset; version 0: nothing but a downlink."""

    version: int
    file: int
    offset: int
    chunks: int


def is_ask(frame: bytes) -> bool:
    """Return whether an uplink says that it is an ask."""
    return len(frame) > 0 and frame[0] & 0x0F == ASK


def decode_ask(node: str, key: bytes, frame: bytes) -> Ask:
    """Verify, then decode; FrameError."""
    check_head(frame, len(frame))
    check_tag(node, key, frame)
    end = len(frame) - TAG_BYTES
    try:
        version, at = read_varint(frame, 1, end)
        file, at = read_varint(frame, at, end)
        offset, at = read_varint(frame, at, end)
    except NumberError as error:
        raise Malformed(str(error)) from None
    if at >= end or any(frame[at + 1 : end]):
        raise Malformed("an ask is cut off or too long")
    if frame[at] > WINDOW:
        msg = f"{frame[at]} chunks at once; at most {WINDOW}"
        raise Malformed(msg)
    return Ask(version, file, offset, frame[at])


def encode_chunk(node: str, key: bytes, ask: Ask, content: bytes) -> bytes:
    """Return the frame with the content that stands at the ask's offset."""
    numbers = b"".join(map(write_varint, (ask.version, ask.file, ask.offset)))
    untagged = bytes([VERSION << 5 | ASK]) + numbers + content
    return untagged + tag(LABEL, node, key, untagged)
