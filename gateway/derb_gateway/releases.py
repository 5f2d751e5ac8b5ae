"""Releases of firmware: what is in one, and the pieces that nodes ask for (docs/protocol.md, Update).

The gateway can neither make nor change one: nodes hold the public key, and it holds none.
"""

import hashlib
import logging
import os
import re
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from derb_gateway.arrivals import Outcome
from derb_gateway.asks import CHUNK_BYTES, Ask, encode_chunk
from derb_gateway.downlink import downlink_topic
from derb_gateway.errors import ConfigError
from derb_gateway.registry import Registry

log = logging.getLogger(__name__)

SIGNATURE_BYTES = 2508
ANY_BOARD = "*"
_MAGIC = b"DRBM\x01"
_NAME = re.compile(r"[A-Za-z0-9_.]+(/[A-Za-z0-9_.]+)*")
_FILES_MAX = 160


@dataclass(frozen=True)
class ReleaseFile:
    """One file of the manifest."""

    name: str
    size: int
    sha256: bytes


@dataclass(frozen=True)
class Release:
    """A manifest as it is read; `head_bytes` is its length with signature, where the files' contents begin."""

    version: int
    bytecode: int
    board: str
    files: tuple[ReleaseFile, ...]
    head_bytes: int

    def place(self, file: int) -> tuple[int, int] | None:
        """Return (offset, size) of a file in the release, 0 being the head; None if there is none."""
        if file == 0:
            return 0, self.head_bytes
        if file > len(self.files):
            return None
        return self.head_bytes + sum(each.size for each in self.files[: file - 1]), self.files[file - 1].size


def version_text(version: int) -> str:
    """Return 10203 as 1.2.3."""
    return f"{version // 10_000}.{version // 100 % 100}.{version % 100}"


def releases_path(store: Path) -> Path:
    """Return the folder of releases, beside the store."""
    return store.with_name("releases")


def read_release(path: Path) -> Release:
    """Return what a release says it is, with every hash checked; ConfigError. Its signature only nodes can judge."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    try:
        release = parse_head(raw)
    except (ValueError, IndexError, struct.error) as error:
        raise ConfigError([f"{path}: is not a release: {error}"]) from None
    at = release.head_bytes
    for file in release.files:
        if hashlib.sha256(raw[at : at + file.size]).digest() != file.sha256:
            raise ConfigError([f"{path}: is damaged: {file.name} does not have its hash"])
        at += file.size
    if at != len(raw):
        raise ConfigError([f"{path}: is damaged: {len(raw)} bytes and not {at}"])
    return release


def parse_head(raw: bytes) -> Release:
    """Return the manifest at the beginning of a release; ValueError, IndexError, struct.error."""
    (length,) = struct.unpack_from("<H", raw)
    end = 2 + length
    if raw[2:7] != _MAGIC or end + SIGNATURE_BYTES > len(raw):
        raise ValueError("it does not begin as one")
    version, bytecode, board_length = struct.unpack_from("<IBB", raw, 7)
    at = 13 + board_length
    board, count, at = raw[13:at].decode("ascii"), raw[at], at + 1
    files = []
    for _ in range(count):
        name = raw[at + 1 : at + 1 + raw[at]].decode("ascii")
        at += 1 + raw[at]
        if not _NAME.fullmatch(name) or {".", ".."} & set(name.split("/")):
            msg = f"a file cannot have the name {name!r}"
            raise ValueError(msg)
        files.append(ReleaseFile(name, *struct.unpack_from("<I32s", raw, at)))
        at += 36
    if at != end or not 1 <= count <= _FILES_MAX:
        raise ValueError("its manifest does not end where it says")
    return Release(version, bytecode, board, tuple(files), end + SIGNATURE_BYTES)


class Releases:
    """The folder, one file a version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[int, tuple[float, Release]] = {}

    def add(self, path: Path) -> Release:
        """Take a release in, whole or not at all; ConfigError."""
        release = read_release(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        partly = self.folder / f".{release.version}.{os.getpid()}"
        shutil.copyfile(path, partly)
        partly.replace(self._path(release.version))
        return release

    def chunks(self, ask: Ask) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, content) that answer an ask; one empty content if there is no such thing, none if it cannot be read."""
        place = self._place(ask)
        if place is None or ask.offset >= place[1]:
            yield ask.offset, b""
            return
        begin, size = place
        try:
            content = self._read(
                ask.version, begin + ask.offset, min(size - ask.offset, ask.chunks * CHUNK_BYTES)
            )
        except OSError as error:
            log.warning("release not read", extra={"version": ask.version, "why": str(error)})
            return  # the node asks again
        for at in range(0, len(content), CHUNK_BYTES):
            yield ask.offset + at, content[at : at + CHUNK_BYTES]

    def _read(self, version: int, begin: int, size: int) -> bytes:
        with self._path(version).open("rb") as file:
            file.seek(begin)
            return file.read(size)

    def _place(self, ask: Ask) -> tuple[int, int] | None:
        release = self._release(ask.version)
        return release.place(ask.file) if release else None

    def _release(self, version: int) -> Release | None:
        try:
            changed = self._path(version).stat().st_mtime
            known = self._known.get(version)
            if known is None or known[0] != changed:
                known = self._known[version] = changed, read_release(self._path(version))
        except (OSError, ConfigError):
            return None  # as good as not there: the node is told so
        return known[1]

    def _path(self, version: int) -> Path:
        return self.folder / f"{version}.derb"


def chunk_frames(outcome: Outcome, registry: Registry, releases: Releases) -> Iterator[tuple[str, bytes]]:
    """Yield (topic, frame), not to be retained, for what nodes asked for in a batch."""
    for node, ask in outcome.asks:
        key = registry.key(node)
        if key is not None:  # it may have left the registry since
            for offset, content in releases.chunks(ask):
                yield downlink_topic(node), encode_chunk(node, key, ask._replace(offset=offset), content)
