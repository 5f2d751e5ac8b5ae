"""What goes when the store is over its budget, in the written order: never a parking event, an alarm or an answer.

First what all sinks have, oldest first, which loses nothing; then superseded states: a node's health readings but the newest;
then level readings, oldest first.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from derb_gateway.reader import read_only
from derb_gateway.readings import HEALTH, LEVEL

_WINDOW_ROWS = 5_000
_WORTH_PACKING = 10  # a window of which less than a tenth goes is not worth writing anew


class Shed(NamedTuple):
    """Some readings of one kind that may go, and the ids between which they stand."""

    what: str
    ids: list[int]
    first: int
    last: int
    pack: bool


class Shedding:
    """Finds what may go, in windows, so that neither memory nor a transaction grows with the store. Reads only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget how far it has looked: what was found did not go."""
        self._health_to = self._level_to = 0
        self._newest: dict[str, int] = {}

    def next(self) -> Shed | None:
        """Return what goes next; None if nothing is left that may. StoreError."""
        while (window := self._window(self._health_to, HEALTH)) is not None:
            rows, first, self._health_to = window
            if old := self._superseded(rows):
                return Shed("health", old, first, self._health_to, pack=False)
        while (window := self._window(self._level_to, LEVEL)) is not None:
            rows, first, self._level_to = window
            if rows:
                pack = len(rows) * _WORTH_PACKING >= _WINDOW_ROWS
                return Shed("level", [id_ for id_, _ in rows], first, self._level_to, pack)
        return None

    def _superseded(self, rows: list[tuple[int, str]]) -> list[int]:
        """Return those of some health readings, or of earlier ones, that newer ones of their nodes have replaced."""
        old = []
        for id_, node in rows:
            if node in self._newest:
                old.append(self._newest[node])
            self._newest[node] = id_
        return old

    def _window(self, after: int, kind: int) -> tuple[list[tuple[int, str]], int, int] | None:
        """Return the (id, node) of one kind among the next readings, and the ids of the first and the last of all of them."""
        ends = "SELECT min(id), max(id) FROM (SELECT id FROM reading WHERE id > ? ORDER BY id LIMIT ?)"
        of_kind = "SELECT id, node FROM reading WHERE id BETWEEN ? AND ? AND kind = ? ORDER BY id"
        with read_only(self._path) as db:
            first, last = db.execute(ends, (after, _WINDOW_ROWS)).fetchone()
            if first is None:
                return None
            return db.execute(of_kind, (first, last, kind)).fetchall(), first, last


def used_bytes(db: sqlite3.Connection) -> int:
    """Return how much of the file is in use; the rest is used again before the file grows."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def remove(db: sqlite3.Connection, shed: Shed) -> int:
    """Delete readings and close up those between which they stood; return how many went.

    SQLite gives back a page only when two thirds of it are empty: what stays between is written anew, closer together.
    """
    before = db.total_changes
    db.executemany("DELETE FROM reading WHERE id = ?", [(id_,) for id_ in shed.ids])
    gone = db.total_changes - before
    if shed.pack:
        _pack(db, shed.first, shed.last)
    return gone


def _pack(db: sqlite3.Connection, first: int, last: int) -> None:
    left = db.execute("SELECT * FROM reading WHERE id BETWEEN ? AND ?", (first, last)).fetchall()
    db.execute("DELETE FROM reading WHERE id BETWEEN ? AND ?", (first, last))
    marks = ", ".join("?" * 11)
    db.executemany(f"INSERT INTO reading VALUES ({marks})", left)  # noqa: S608 - question marks
