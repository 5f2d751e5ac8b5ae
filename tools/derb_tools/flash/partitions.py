"""The partition table of an ESP32: as bytes, read back, and what is wrong with a layout. Pure.

The format is that of ESP-IDF (API guide, "Partition Tables"): 32 bytes an entry, an entry with the MD5 of those before it, 0xFF.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from derb_tools.errors import ImageRefused

TABLE_AT = 0x8000
TABLE_BYTES = 0xC00
SECTOR_BYTES = 0x1000
FIRST_FREE = 0x9000
APP_ALIGNMENT = 0x10000
NVS_PAGES_AT_LEAST = 3
BLOCKS_AT_LEAST = 16

_ENTRY = struct.Struct("<2sBBII16sI")
_ENTRY_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14
_BLANK = b"\xff" * 32

# The four that a node has: name in a board file -> (label, type, subtype).
KINDS = {
    "nvs": ("nvs", 1, 0x02),
    "phy_init": ("phy_init", 1, 0x01),
    "app": ("factory", 0, 0x00),
    "vfs": ("vfs", 1, 0x81),
}


@dataclass(frozen=True)
class Partition:
    """One entry; `offset` and `size` in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size


def partition(key: str, offset: int, size: int) -> Partition:
    """The partition that a board file calls `key`."""
    label, type_, subtype = KINDS[key]
    return Partition(label, type_, subtype, offset, size)


def table_bytes(partitions: Sequence[Partition]) -> bytes:
    """The table as it is on flash."""
    entries = b"".join(
        _ENTRY.pack(_ENTRY_MAGIC, p.type, p.subtype, p.offset, p.size, p.label.encode("ascii"), p.flags)
        for p in partitions
    )
    entries += _MD5_MAGIC + hashlib.md5(entries, usedforsecurity=False).digest()
    return entries.ljust(TABLE_BYTES, b"\xff")


def parse_table(raw: bytes) -> list[Partition]:
    """The partitions in a table. ImageRefused if it is none, or damaged."""
    partitions: list[Partition] = []
    for at in range(0, min(len(raw), TABLE_BYTES) - 31, 32):
        entry = raw[at : at + 32]
        if entry == _BLANK:
            return partitions
        if entry[:16] == _MD5_MAGIC:
            if entry[16:] != hashlib.md5(raw[:at], usedforsecurity=False).digest():
                raise ImageRefused("the partition table is damaged: its MD5 is not that of its entries")
            continue
        magic, type_, subtype, offset, size, label, flags = _ENTRY.unpack(entry)
        if magic != _ENTRY_MAGIC:
            raise ImageRefused(f"there is no partition table: entry {at // 32} begins with {magic.hex()}")
        partitions.append(
            Partition(label.rstrip(b"\0").decode("ascii", "replace"), type_, subtype, offset, size, flags)
        )
    raise ImageRefused("the partition table has no end")


def layout_problems(layout: dict[str, tuple[int, int]], flash_bytes: int) -> list[str]:
    """What is wrong with (offset, size) of each partition of a board, a sentence with its key each."""
    problems = [f"{key}: {why}" for key, place in layout.items() for why in _own_problems(key, *place)]
    ordered = sorted(layout.items(), key=lambda each: each[1])
    for (before, (offset, size)), (after, (next_offset, _)) in pairwise(ordered):
        if offset + size > next_offset:
            problems.append(
                f"{after}: begins at {next_offset:#x}, inside {before}, which ends at {offset + size:#x}"
            )
    for key, (offset, size) in layout.items():
        if offset + size > flash_bytes:
            problems.append(
                f"{key}: ends at {offset + size:#x}, beyond the {flash_bytes >> 20} MB of flash; make it smaller"
            )
    return problems


def _own_problems(key: str, offset: int, size: int) -> Iterator[str]:
    alignment = APP_ALIGNMENT if key == "app" else SECTOR_BYTES
    if offset % alignment:
        yield f"must begin at a multiple of {alignment:#x} (given: {offset:#x})"
    if size % SECTOR_BYTES:
        yield f"must be a multiple of {SECTOR_BYTES:#x} long (given: {size:#x})"
    if offset < FIRST_FREE:
        yield f"must begin at {FIRST_FREE:#x} or later: the loader and the table come before (given: {offset:#x})"
    least = {"nvs": NVS_PAGES_AT_LEAST, "vfs": BLOCKS_AT_LEAST}.get(key, 1) * SECTOR_BYTES
    if size < least:
        yield f"must be {least:#x} or more bytes long (given: {size:#x})"
