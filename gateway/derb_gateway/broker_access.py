"""Who may do what at the street's broker: a pre-shared key and an ACL line a node, made from the registry."""

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from derb_gateway.config import BrokerSettings

_LABEL = b"derb1t"
_MODE = 0o600


def psk_path(settings: BrokerSettings) -> Path:
    """Where the pre-shared keys are written."""
    return settings.directory / "nodes.psk"


def acl_path(settings: BrokerSettings) -> Path:
    """Where the rights are written."""
    return settings.directory / "nodes.acl"


def pre_shared_key(node: str, key: bytes) -> bytes:
    """Return the 32 bytes that a node and the broker share (docs/protocol.md, TLS): they sign no reading."""
    return hmac.digest(key, _LABEL + bytes.fromhex(node), hashlib.sha256)


def psk_lines(keys: Mapping[str, bytes]) -> Iterator[str]:
    """One line a node, as Mosquitto's psk_file has them."""
    for node, key in sorted(keys.items()):
        yield f"{node}:{pre_shared_key(node, key).hex()}"


def acl_lines(keys: Mapping[str, bytes], gateway: str | None) -> Iterator[str]:
    """As Mosquitto's acl_file has them: a node speaks on its own topic and hears its own; `gateway` may do all."""
    if gateway is not None:
        yield f"user {gateway}"
        yield "topic readwrite #"
    for node in sorted(keys):
        yield f"user {node}"
        yield f"topic write d/{node}/u"
        yield f"topic read d/{node}/d"


def write_access(settings: BrokerSettings, keys: Mapping[str, bytes]) -> None:
    """Write both files for the nodes of the registry; each is the old one or the new one at any moment."""
    gateway = None if settings.username in keys else settings.username
    replace_if_other(psk_path(settings), _text(psk_lines(keys)))
    replace_if_other(acl_path(settings), _text(acl_lines(keys, gateway)))


def replace_if_other(path: Path, text: str) -> None:
    """Have a file of ours say this, nobody else reading it; one that does is left, since a full disk takes no other. OSError."""
    if path.exists() and path.read_bytes() == text.encode() and path.stat().st_mode & 0o777 == _MODE:
        return
    new = path.with_suffix(path.suffix + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w") as file:
        file.write(text)
    new.replace(path)


def _text(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
