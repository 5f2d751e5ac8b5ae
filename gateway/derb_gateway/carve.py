"""Rows out of a database file that SQLite can no longer read as a whole. Pure.

Every page is looked at by itself, so a lost root, a torn schema or a missing half hide nothing that stands in other pages. A cell
that makes no sense is left out and counted. Source: "Database File Format", sqlite.org/fileformat2.html.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

Value = int | float | str | bytes | None

TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_FILE_HEADER = 100
_PAGE_SIZES = {1 << power for power in range(9, 17)}
_PAGE_SIZE_USUAL = 4096
_PAYLOAD_MAX = 65_536
_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)  # of the serial types below 12
_FLOAT, _ZERO, _ONE = 7, 8, 9


class CarveError(ValueError):
    """A cell that makes no sense."""


class Row(NamedTuple):
    """A record; `rowid` None in an index, which is also what a table without row ids is."""

    rowid: int | None
    values: tuple[Value, ...]


def page_size(head: bytes) -> int:
    """Return the page size that a file's first bytes speak of, or the usual one if they are damaged."""
    size = int.from_bytes(head[16:18], "big") if len(head) >= _FILE_HEADER else 0
    size = 65_536 if size == 1 else size
    return size if size in _PAGE_SIZES else _PAGE_SIZE_USUAL


def rows(page: bytes) -> Iterator[Row | None]:
    """Yield the rows of a page, None for each cell that makes no sense; nothing for a page that bears no rows."""
    kind = page[0]
    if kind not in (TABLE_LEAF, INDEX_LEAF, INDEX_INTERIOR):
        return
    count = int.from_bytes(page[3:5], "big")
    start = 12 if kind == INDEX_INTERIOR else 8
    if start + 2 * count > len(page):
        yield None
        return
    for (at,) in struct.iter_unpack(">H", page[start : start + 2 * count]):
        try:
            yield _cell(page, kind, at)
        except (CarveError, IndexError, UnicodeDecodeError, struct.error):
            yield None


def _cell(page: bytes, kind: int, at: int) -> Row:
    if kind == INDEX_INTERIOR:
        at += 4
    length, at = _varint(page, at)
    rowid = None
    if kind == TABLE_LEAF:
        rowid, at = _varint(page, at)
    if length > _PAYLOAD_MAX or at + length > len(page):
        raise CarveError("it goes on elsewhere, or is none")
    return Row(rowid, _record(page[at : at + length]))


def _record(payload: bytes) -> tuple[Value, ...]:
    head_length, at = _varint(payload, 0)
    if head_length > len(payload):
        raise CarveError("a head longer than its record")
    values: list[Value] = []
    start = head_length
    while at < head_length:
        kind = payload[at]
        if kind < 0x80:
            at += 1
        else:
            kind, at = _varint(payload, at)
        end = start + (_BYTES[kind] if kind < 12 else (kind - 12) >> 1)
        values.append(_value(kind, payload[start:end]))
        start = end
    if start != len(payload):
        raise CarveError("a record that does not fill its cell")
    return tuple(values)


def _value(kind: int, piece: bytes) -> Value:
    """Return a value by its serial type."""
    if kind >= 12:
        return piece.decode() if kind & 1 else piece
    if kind == 0:
        return None
    if kind < _FLOAT:
        return int.from_bytes(piece, "big", signed=True)
    if kind == _FLOAT:
        return float(struct.unpack(">d", piece)[0])
    if kind > _ONE:
        raise CarveError("a serial type that is not in use")
    return kind - _ZERO


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for i in range(at, at + 8):
        byte = page[i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, i + 1
    return value << 8 | page[at + 8], at + 9
