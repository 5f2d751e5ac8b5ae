"""Downlink frames: receipts, time, configuration version (docs/protocol.md, Downlink). Pure."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from derb_gateway.frame import FRAME_MAX_BYTES, VERSION, tag
from derb_gateway.wire import write_varint

RANGES_MAX = 8
LABEL = b"derb1d"
_SYNCHRONISED = 0x10


class Range(NamedTuple):
    """The readings `first` to `last` of `boot` are on disk."""

    boot: int
    first: int
    last: int


def downlink_topic(node: str) -> str:
    """Return the topic that a node listens on."""
    return f"d/{node}/d"


def encode_downlink(
    node: str,
    key: bytes,
    *,
    time_s: int,
    synchronised: bool,
    ranges: Sequence[Range],
    config_version: int = 0,
    sections: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Return the frame with its tag; `time_s` is Unix time. ValueError if it does not fit 240 bytes."""
    if len(ranges) > RANGES_MAX:
        msg = f"{len(ranges)} ranges; a downlink holds {RANGES_MAX}"
        raise ValueError(msg)
    head = VERSION << 5 | (_SYNCHRONISED if synchronised else 0)
    parts = [struct.pack("<BI", head, time_s), write_varint(config_version), write_varint(len(ranges))]
    parts += [write_varint(n) for boot, first, last in ranges for n in (boot, last, last - first)]
    parts += [struct.pack("<BB", kind, len(body)) + body for kind, body in sections]
    untagged = b"".join(parts)
    frame = untagged + tag(LABEL, node, key, untagged)
    if len(frame) > FRAME_MAX_BYTES:
        msg = f"a downlink of {len(frame)} bytes does not fit {FRAME_MAX_BYTES}"
        raise ValueError(msg)
    return frame
