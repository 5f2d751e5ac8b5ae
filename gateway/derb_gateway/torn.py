"""Readings of a transaction that was not finished, or whose last bit was hit: taken back into a sound store.

A power cut in the middle of a commit leaves the same picture as a flipped bit in the last one, and of that one nodes may hold
receipts. So what is readable is kept either way: a reading too many is one that its node sends again, and a known one.
"""

import re
import sqlite3
from typing import Any

from derb_gateway import carve
from derb_gateway.intervals import IntervalSet
from derb_gateway.stored_body import plausible

_NODE = re.compile(r"[0-9a-f]{12}")
_TYPES = (type(None), str, int, int, int, str, int, int, int, int, int)
_ERROR_MS = 7  # may be null: no bound is known


def take_back(db: sqlite3.Connection, pages: list[bytes]) -> int:
    """Add the readings in pages that the store does not know, in one transaction; return how many. sqlite3.Error."""
    rows = [row for page in pages for row in carve.rows(page) if row is not None and _is_reading(row)]
    db.execute("BEGIN IMMEDIATE")
    count = sum(_taken(db, row) for row in rows)
    db.execute("COMMIT")
    return count


def _is_reading(row: carve.Row) -> bool:
    types = [*map(type, row.values)]
    if row.rowid is None or len(types) != len(_TYPES):
        return False
    types[_ERROR_MS] = int
    _, node, _, _, kind, body, *_ = row.values
    return tuple(types) == _TYPES and bool(_NODE.fullmatch(str(node))) and plausible(_number(kind), str(body))


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def _taken(db: sqlite3.Connection, row: carve.Row) -> int:
    """Insert a reading; a known one may have been forwarded and pruned long ago."""
    _, node, boot, seq, *_ = row.values
    known = IntervalSet(
        db.execute("SELECT low, high FROM known WHERE node = ? AND boot = ?", (node, boot)).fetchall()
    )
    number = _number(seq)
    if number in known:
        return 0
    marks = ", ".join("?" * len(_TYPES))
    statement = f"INSERT OR IGNORE INTO reading VALUES ({marks})"  # noqa: S608 - question marks
    if not (taken := db.execute(statement, (row.rowid, *row.values[1:])).rowcount):
        return 0
    known.add(number, number)
    _save(db, node, boot, known)
    return taken


def _save(db: sqlite3.Connection, node: Any, boot: Any, known: IntervalSet) -> None:
    db.execute("DELETE FROM known WHERE node = ? AND boot = ?", (node, boot))
    rows = [(node, boot, low, high) for low, high in known.intervals()]
    db.executemany("INSERT INTO known VALUES (?, ?, ?, ?)", rows)
