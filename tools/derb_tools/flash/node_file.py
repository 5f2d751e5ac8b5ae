"""The file of what all nodes of a street have in common: Wi-Fi, broker, whose updates they take."""

import ssl
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from derb_gateway.errors import ConfigError
from derb_gateway.node_settings import Value, node_settings
from derb_gateway.toml_model import at_line, nearest, read_text

from derb_tools.errors import NodeFileError

_LONGEST_CA = 3000
_UPDATE_KEY_BYTES = 56
_HIGHEST_PIN = 48
_OTHERS = ("ca", "update_key", "door_pin")
_PEM = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class NodeFile:
    """`settings` as in docs/configuration.md; `ca` in DER; `update_key` as `derb release key` prints it, as bytes."""

    path: Path | None = None
    settings: dict[str, Value] = field(default_factory=dict, repr=False)
    ca: bytes = b""
    update_key: bytes = b""
    door_pin: int | None = None


def read_node_file(path: Path) -> NodeFile:
    """The file, checked. NodeFileError with every mistake in it; a secret is never shown."""
    text = _text(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NodeFileError([f"{path}: is not TOML: {error}"]) from None
    except RecursionError:
        raise NodeFileError([f"{path}: is not TOML: its arrays stand too deep in each other"]) from None
    reader = _Reader(path)
    settings = {key: value for key, value in table.items() if key not in _OTHERS}
    reader.check_settings(settings)
    made = NodeFile(path, settings, reader.ca(table), reader.update_key(table), reader.door_pin(table))
    if reader.problems:
        keys = [problem.partition(":")[0] for problem in reader.problems]
        lines = [at_line(path, text, [key]) for key in keys]
        raise NodeFileError(
            [f"{line}: {problem}" for line, problem in zip(lines, reader.problems, strict=True)]
        )
    return made


def _text(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise NodeFileError([f"{path}: others can read it, and it holds secrets: chmod 600 {path}"])
        return read_text(path)
    except OSError as error:
        raise NodeFileError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ConfigError as error:
        raise NodeFileError(error.problems) from None


class _Reader:
    """Reads one key after the other and keeps what is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.problems: list[str] = []

    def check_settings(self, settings: dict[str, Any]) -> None:
        known = node_settings()
        for name, value in settings.items():
            if name not in known:
                self.problems.append(f"{name}: there is no such setting{nearest(name, [*known, *_OTHERS])}")
            elif fault := known[name].fault(value):
                shown = "" if known[name].secret else f" (given: {value!r})"
                self.problems.append(f"{name}: {fault}{shown}")

    def ca(self, table: dict[str, Any]) -> bytes:
        name = table.get("ca")
        if name is None:
            return b""
        if not isinstance(name, str):
            self.problems.append("ca: must be the name of a file with a certificate, PEM or DER")
            return b""
        try:
            der = _der((self._path.parent / name).read_bytes())
        except OSError as error:
            self.problems.append(f"ca: {name} cannot be read: {error.strerror}")
        except ValueError:
            self.problems.append(f"ca: {name} is no certificate, PEM or DER")
        else:
            if len(der) <= _LONGEST_CA:
                return der
            self.problems.append(f"ca: {name} has {len(der)} bytes, and a node takes {_LONGEST_CA}")
        return b""

    def update_key(self, table: dict[str, Any]) -> bytes:
        text = table.get("update_key", "")
        try:
            key = bytes.fromhex(text)
        except (TypeError, ValueError):
            key = b"?"
        if key and len(key) != _UPDATE_KEY_BYTES:
            self.problems.append(
                f"update_key: must be {2 * _UPDATE_KEY_BYTES} hex digits, as `derb release key` prints them"
            )
        return key

    def door_pin(self, table: dict[str, Any]) -> int | None:
        pin = table.get("door_pin")
        if pin is None or (type(pin) is int and 0 <= pin <= _HIGHEST_PIN):
            return pin
        self.problems.append(f"door_pin: must be a whole number from 0 to {_HIGHEST_PIN} (given: {pin!r})")
        return None


def _der(raw: bytes) -> bytes:
    if raw.lstrip().startswith(_PEM):
        return ssl.PEM_cert_to_DER_cert(raw.decode("ascii").strip())
    if not raw.startswith(b"\x30\x82"):
        raise ValueError("no DER")
    return raw
