"""`derb decode`: one frame as JSON, or a clear reason why not."""

import json
import re
from enum import StrEnum
from typing import Annotated

import typer
from derb_gateway.frame import FrameError, decode_uplink
from derb_gateway.registry import node_id

from derb_tools.downlink import decode_downlink
from derb_tools.errors import FrameRefused

KEY_BYTES = 32


class Direction(StrEnum):
    """Who sent the frame; its kind tells, unless it is a damaged one."""

    AUTO = "auto"
    UP = "up"
    DOWN = "down"


def decode(
    frame: Annotated[str, typer.Argument(metavar="HEX", help="The frame; spaces and colons do no harm.")],
    node: Annotated[str, typer.Option(metavar="ID", help="The node's id, 12 hex digits.")],
    key: Annotated[str, typer.Option(metavar="HEX", help="The node's key, 64 hex digits.")],
    direction: Annotated[Direction, typer.Option(help="up: from the node; down: to it.")] = Direction.AUTO,
) -> None:
    """Show one frame, uplink or downlink, as JSON.

    \b
    derb decode 21010000bfff9d61b8d305eadae3 --node 240ac4a1b2c3 \\
        --key 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
    """
    node = parse_node(node)
    key_bytes = parse_hex(key, "--key")
    if len(key_bytes) != KEY_BYTES:
        raise typer.BadParameter(f"--key has {len(key_bytes)} bytes; a key has {KEY_BYTES} (64 hex digits)")
    print(json.dumps(decode_frame(node, key_bytes, parse_hex(frame, "the frame"), direction)))


def decode_frame(node: str, key: bytes, frame: bytes, direction: str = Direction.AUTO) -> dict[str, object]:
    """The frame as JSON values. Raises FrameRefused with the protocol page's word for the reason."""
    down = is_downlink(frame) if direction == Direction.AUTO else direction == Direction.DOWN
    try:
        decoded = decode_downlink(node, key, frame) if down else decode_uplink(node, key, frame)
    except FrameError as error:
        raise FrameRefused(f"{error.reason}: {error}") from error
    return {"direction": "down" if down else "up", "node": node, **decoded.to_json()}


def is_downlink(frame: bytes) -> bool:
    """Whether the frame says that it is one: kind 0."""
    return len(frame) > 0 and frame[0] & 0x0F == 0


def parse_node(text: str) -> str:
    """A node id as the registry writes it; capitals, colons and dashes as in a MAC address are accepted."""
    try:
        return node_id(text)
    except ValueError as error:
        raise typer.BadParameter(f"--node {text!r} {error}") from None


def parse_hex(text: str, what: str) -> bytes:
    """Bytes from hex digits in any grouping. Raises typer.BadParameter: exit code 2."""
    digits = re.sub(r"[\s:]", "", text).removeprefix("0x")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise typer.BadParameter(f"{what} is not an even number of hex digits: {text[:80]!r}") from None
