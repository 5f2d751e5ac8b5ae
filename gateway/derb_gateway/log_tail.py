"""What stands in a write-ahead log behind the first frame that SQLite no longer believes.

SQLite ends a log at the first frame with a wrong checksum and says nothing: behind a flipped bit it forgets what was
committed, synced and receipted. But each frame's checksum begins with that of the frame before it, as written there, so the
frames behind a bad one can still be judged one by one. Source: "Database File Format", section 4, sqlite.org/fileformat2.html.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from derb_gateway.carve import page_size

HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
HEAD_BYTES = HEADER_BYTES + FRAME_HEADER_BYTES
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # and the byte order of the checksums
_MASK = 0xFFFFFFFF
_ONE_MAY_BE_TORN = 1
_STRANGE_KEPT = 64

Sums = tuple[int, int]


class Frame(NamedTuple):
    """A frame of the log's present round; `ends`: it ends a transaction."""

    page_number: int
    ends: bool
    intact: bool
    page: bytes


class Tail(NamedTuple):
    """Pages behind the sound part of a log, oldest first.

    `certain`: a transaction that was synced is among them, so this is damage; else it may be what a power cut left unfinished.
    """

    pages: list[bytes]
    certain: bool


def log_path(database: Path) -> Path:
    """Return where a database's log is."""
    return database.with_name(database.name + "-wal")


def tail(database: Path) -> Tail | None:
    """Return what SQLite would pass over at the end of a database's log, None if nothing. OSError."""
    behind: list[Frame] = []
    for frame in frames(database):
        if behind or not frame.intact:
            behind.append(frame)
    if not behind:
        return None
    ended = sum(frame.ends for frame in behind if frame.intact or frame is behind[0])
    return Tail([frame.page for frame in behind if frame.page_number != 1], certain=ended > _ONE_MAY_BE_TORN)


def frames(database: Path) -> Iterator[Frame]:
    """Yield the frames of a log's present round, and what is damaged between them. OSError."""
    path = log_path(database)
    if not path.exists() or not database.exists():
        return
    with path.open("rb") as log, database.open("rb") as file:
        yield from _frames(log, page_size(file.read(100)))


def _frames(log: BinaryIO, size: int) -> Iterator[Frame]:
    head = log.read(HEAD_BYTES)
    salts = salts_of(head)
    if salts is None:
        return
    order, sums, believed = _order(head), _pair(head, 24), _is_sound(head)
    log.seek(HEADER_BYTES)
    strange: list[
        Frame
    ] = []  # of another round, unless one of this round comes behind them: then a salt was hit
    while len(raw := log.read(FRAME_HEADER_BYTES + size)) == FRAME_HEADER_BYTES + size:
        before, sums = sums, _pair(raw, 16)
        ours, page = raw[8:16] == salts, raw[FRAME_HEADER_BYTES:]
        intact = believed and ours and _added(_added(before, raw[:8], order), page, order) == sums
        believed = True  # only the first frame hangs on the header
        frame = Frame(_number(raw, 0), _number(raw, 4) != 0, intact, page)
        if ours:
            yield from (*strange, frame)
            strange = []
        elif len(strange) < _STRANGE_KEPT:
            strange.append(frame)


def salts_of(head: bytes) -> bytes | None:
    """Return what marks the frames of a log's present round, by its first `HEAD_BYTES`; None if it has no frame."""
    if len(head) < HEAD_BYTES:
        return None
    return head[16:24] if _is_sound(head) else head[HEADER_BYTES + 8 : HEADER_BYTES + 16]


def _is_sound(head: bytes) -> bool:
    return _added((0, 0), head[:24], _order(head)) == _pair(head, 24)


def _order(head: bytes) -> str:
    return _MAGIC.get(_number(head, 0), "<")


def _pair(raw: bytes, at: int) -> Sums:
    return _number(raw, at), _number(raw, at + 4)


def _number(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "big")


def _added(sums: Sums, content: bytes, order: str) -> Sums:
    one, two = sums
    for a, b in struct.iter_unpack(f"{order}II", content):
        one = (one + a + two) & _MASK
        two = (two + b + one) & _MASK
    return one, two
