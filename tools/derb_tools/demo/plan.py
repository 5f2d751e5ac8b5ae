"""What the demo's street is made of, written down for the gateway, and its boards."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from derb_tools.board import Part, SimBoard, Site
from derb_tools.firmware_files import firmware_dir
from derb_tools.thirdparty import umqtt_dir

Kind = Literal["parking", "level"]
BROKER_NAME = "gateway.derb"
_SSID, _PSK = "derb", "derb-street"


@dataclass(frozen=True)
class PlannedNode:
    """A node, its place and what is wired to it."""

    node_id: bytes
    place: str
    kind: Kind
    parts: Sequence[Part]
    lat: float = 33.5866
    lon: float = -7.6324
    empty_mm: int = 1500
    full_mm: int = 250
    config: Mapping[str, object] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The node id as it is written everywhere."""
        return self.node_id.hex()

    @property
    def key(self) -> bytes:
        """A key for a node that exists only here."""
        return hashlib.sha256(b"simulated node " + self.node_id).digest()


@dataclass(frozen=True)
class Ports:
    """Where the street's and the city's brokers listen on this machine."""

    street: int
    city: int


def registry_toml(nodes: Sequence[PlannedNode], zone: str) -> str:
    """Return the gateway's registry of these nodes."""
    blocks = []
    for node in nodes:
        what = "bay" if node.kind == "parking" else "container"
        lines = [
            f"[[{what}]]",
            f'id = "{node.place}"',
            f'zone = "{zone}"',
            f"lat = {node.lat}",
            f"lon = {node.lon}",
        ]
        if node.kind == "level":
            lines += [f"empty_mm = {node.empty_mm}", f"full_mm = {node.full_mm}"]
        lines += [
            "",
            "[[node]]",
            f'id = "{node.id}"',
            f'key = "{node.key.hex()}"',
            f'{what} = "{node.place}"',
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def gateway_toml(site: str, ports: Ports, *, manage_broker: bool, engine: str = "auto") -> str:
    """Return a gateway configuration with both sinks."""
    protocol = 'protocol = "3.1.1"\n' if engine == "amqtt" else ""
    return f"""site = "{site}"
registry = "registry.toml"

[broker]
port = {ports.street}
manage = {"true" if manage_broker else "false"}
engine = "{engine}"
{protocol}
[store]
path = "derb.sqlite3"

[[sink]]
type = "mqtt"
name = "city"
host = "127.0.0.1"
port = {ports.city}
username = "gateway"
{protocol}batch_size = 100
batch_age_s = 0.5
retry_max_s = 2.0

[[sink]]
type = "file"
name = "files"
directory = "forwarded"
batch_age_s = 0.5
"""


def write_site(folder: Path, nodes: Sequence[PlannedNode], site: str, zone: str, config: str) -> Path:
    """Write registry and configuration; return the configuration's path. The registry holds keys: nobody else reads it."""
    registry = folder / "registry.toml"
    registry.touch(mode=0o600)
    registry.write_text(registry_toml(nodes, zone))
    path = folder / "gateway.toml"
    path.write_text(config)
    return path


def make_board(folder: Path, node: PlannedNode, ports: Ports, *, speed: float, now_ms: int = 0) -> SimBoard:
    """Return a new board with the firmware on its flash, powered off."""
    config = {
        "kind": node.kind,
        "ssid": _SSID,
        "psk": _PSK,
        "broker": BROKER_NAME,
        "empty_mm": node.empty_mm,
        "full_mm": node.full_mm,
        "log": 1,
        **node.config,
    }
    board = SimBoard(
        folder / node.id,
        firmware_dir(),
        node_id=node.node_id,
        config=config,
        key=node.key,
        sensors=list(node.parts),
        site=Site(ssid=_SSID, psk=_PSK, hosts={BROKER_NAME: ("127.0.0.1", ports.street)}),
        speed=speed,
        now_ms=now_ms,
    )
    board.factory([umqtt_dir()])
    return board
