"""Builds a release: the application compiled to .mpy, its manifest, the signature over it."""

import ast
import hashlib
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from derb_tools.bytecode import bytecode_of, compiled
from derb_tools.errors import ToolError
from derb_tools.firmware_files import firmware_dir
from derb_tools.release_key import ReleaseKey

APPLICATION = "derb"  # main.py and slots.py choose the copy to run, so they are in none
_MAGIC = b"DRBM\x01"


def firmware_version(firmware: Path | None = None) -> int:
    """The VERSION of the firmware's sources."""
    tree = ast.parse(((firmware or firmware_dir()) / APPLICATION / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION":
            return int(ast.literal_eval(node.value))
    raise ToolError("the firmware does not say its VERSION")


def build_release(key: ReleaseKey, version: int, board: str, firmware: Path | None = None) -> bytes:
    """A signed release of the firmware's application; ToolError if it does not compile."""
    files = dict(application(firmware or firmware_dir()))
    return signed_release(key, version, bytecode_of(files.values()), board, files)


def signed_release(
    key: ReleaseKey, version: int, bytecode: int, board: str, files: Mapping[str, bytes]
) -> bytes:
    """A release of these files: head, then contents (docs/protocol.md, Update)."""
    manifest = manifest_bytes(version, bytecode, board, files)
    head = struct.pack("<H", len(manifest)) + manifest + key.sign(manifest)
    return head + b"".join(files.values())


def manifest_bytes(version: int, bytecode: int, board: str, files: Mapping[str, bytes]) -> bytes:
    """The manifest of these files, in their order."""
    name = board.encode("ascii")
    parts = [_MAGIC, struct.pack("<IBB", version, bytecode, len(name)), name, bytes([len(files)])]
    for path, content in files.items():
        parts.append(bytes([len(path)]) + path.encode("ascii"))
        parts.append(struct.pack("<I32s", len(content), hashlib.sha256(content).digest()))
    return b"".join(parts)


def application(firmware: Path) -> Iterator[tuple[str, bytes]]:
    """Each module of the application as (name on the board, bytecode)."""
    return compiled(firmware, sorted((firmware / APPLICATION).rglob("*.py")))
