"""What relay and gateway say to each other (docs/protocol.md, The serial line of a relay). Pure."""

import enum
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from derb_gateway.errors import QuarantineError
from derb_gateway.frame import FRAME_MAX_BYTES

PROTOCOL = 1
COUNTERS = (
    "heard",
    "strange",
    "probed",
    "sent",
    "unheard",
    "dropped",
    "air_dropped",
    "air_vanished",
    "radio_restarts",
    "radio_failed",
    "line_bad",
    "line_odd",
    "again",
    "queued",
    "held",
    "heap_free",
)
_SELF, _UPLINK, _DONE, _ASK, _DOWNLINK, _TAKEN = 0x01, 0x02, 0x03, 0x81, 0x82, 0x83
_SELF_HEAD = struct.Struct("<BB6sIIIBHB")
_UPLINK_HEAD = struct.Struct("<BBIb6s")
_DOWNLINK_HEAD = struct.Struct("<BBH6s")
_PACKET_MAX_BYTES = 250
_CHANNEL_MAX = 13


class RelayMessageError(QuarantineError):
    """An intact frame that is not as written in the protocol."""


class Result(enum.IntEnum):
    """What became of a downlink."""

    SENT = 0
    UNHEARD = 1
    HELD = 2
    NO_ROOM = 3
    RADIO_FAILED = 4


@dataclass(frozen=True, slots=True)
class SelfDescription:
    """A relay about itself; `start` tells one start of it from another."""

    relay: str
    start: int
    uptime_s: int
    firmware_version: int
    channel: int
    room_bytes: int
    chip: str
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class RelayUplink:
    """A packet from the air; `held_ms` ago it came."""

    number: int
    held_ms: int
    rssi_dbm: int
    node: str
    packet: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a downlink."""

    number: int
    result: Result


def read(content: bytes) -> SelfDescription | RelayUplink | Done:
    """Return what a relay says; RelayMessageError."""
    try:
        return _READERS[content[0]](content)
    except KeyError:
        msg = f"unknown message {content[0]:#04x}"
        raise RelayMessageError(msg) from None
    except (struct.error, ValueError, IndexError) as error:
        msg = f"malformed message {content[0]:#04x}: {error}"
        raise RelayMessageError(msg) from None


def _self(content: bytes) -> SelfDescription:
    head = _SELF_HEAD.unpack_from(content)
    _, protocol, relay, start, uptime_s, version, channel, room, chip_size = head
    if protocol != PROTOCOL:
        msg = f"the relay speaks version {protocol} of the line, this gateway {PROTOCOL}"
        raise ValueError(msg)
    at = _SELF_HEAD.size + chip_size
    chip, rest = content[_SELF_HEAD.size : at], content[at:]
    if len(chip) != chip_size or len(rest) % 4:
        raise ValueError("cut off")
    counts = struct.unpack(f"<{len(rest) // 4}I", rest)
    counters = dict(zip(COUNTERS, counts, strict=False))  # newer firmware may count more, older less
    text = chip.decode("ascii", errors="replace")
    return SelfDescription(relay.hex(), start, uptime_s, version, channel, room, text, counters)


def _uplink(content: bytes) -> RelayUplink:
    _, number, held_ms, rssi_dbm, node = _UPLINK_HEAD.unpack_from(content)
    packet = content[_UPLINK_HEAD.size :]
    if not 1 <= len(packet) <= _PACKET_MAX_BYTES:
        msg = f"a packet of {len(packet)} bytes"
        raise ValueError(msg)
    return RelayUplink(number, held_ms, rssi_dbm, node.hex(), packet)


def _done(content: bytes) -> Done:
    _, number, result = struct.unpack("<BBB", content)
    return Done(number, Result(result))


_READERS: dict[int, Callable[[bytes], SelfDescription | RelayUplink | Done]] = {
    _SELF: _self,
    _UPLINK: _uplink,
    _DONE: _done,
}


def ask(channel: int | None = None) -> bytes:
    """Return the request for a self-description; with a channel also the order to go there. ValueError."""
    if channel is not None and not 1 <= channel <= _CHANNEL_MAX:
        msg = f"no channel {channel}"
        raise ValueError(msg)
    return bytes([_ASK, channel or 0])


def downlink(number: int, node: str, frame: bytes, hold_s: int = 0) -> bytes:
    """Return the order to send a frame to a node, and to hold it for so long if the node does not hear."""
    if len(frame) > FRAME_MAX_BYTES:
        msg = f"a frame of {len(frame)} bytes"
        raise ValueError(msg)
    return _DOWNLINK_HEAD.pack(_DOWNLINK, number, hold_s, bytes.fromhex(node)) + frame


def taken(numbers: Iterable[int]) -> bytes:
    """Return the word that these uplinks are off the line; it is no receipt."""
    return bytes([_TAKEN, *numbers])
