"""Readings that a sink refused for good, kept until an operator drops them or has them tried again.

A file of its own beside the store: what strangers send to the street cannot push these out, and a store that is set aside
takes none along. Each call opens the file: they are rare, and come from several processes.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from derb_gateway.clock import iso_utc
from derb_gateway.errors import StoreError
from derb_gateway.store import StoredReading

_TABLE = """
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sink TEXT NOT NULL, node TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    reading TEXT NOT NULL, why TEXT NOT NULL, at_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 1, wanted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sink, node, boot, seq)
) STRICT;
"""
_BUSY_S = 10.0
_ROWS_KEPT = 100_000  # of each sink; at some 400 bytes a reading 40 MB
_WHY_KEPT = 500
_SHED_PART = 10


class Refused(NamedTuple):
    """A refused reading, the sink's last reason, when that was (Unix ms), how often it was tried, and whether it is wanted."""

    id: int
    sink: str
    reading: StoredReading
    why: str
    at_ms: int
    tries: int
    wanted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what an operator is shown of it in a list."""
        reading = self.reading
        return {
            "id": self.id,
            "sink": self.sink,
            "key": f"{reading.node}:{reading.boot}:{reading.seq}",
            "observed_at": iso_utc(reading.observed_ms),
            "why": self.why,
            "refused_at": iso_utc(self.at_ms),
            "tries": self.tries,
            "replay": self.wanted,
        }


def refused_path(store: Path) -> Path:
    """Return where the refused readings are, beside the store."""
    return store.with_suffix(".refused.sqlite3")


class RefusedBook:
    """The file. Every method may raise StoreError; none makes the file but `keep`."""

    def __init__(self, path: Path, rows_kept: int = _ROWS_KEPT) -> None:
        self._path = path
        self._rows_kept = rows_kept

    def keep(self, sink: str, reading: StoredReading, why: str, now_ms: int) -> int:
        """Keep a reading, or note that it was refused again; return how many had to go for it."""
        with self._open() as db:
            db.execute(
                "INSERT INTO refused (sink, node, boot, seq, reading, why, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET why = excluded.why, at_ms = excluded.at_ms, tries = tries + 1, wanted = 0",
                (sink, reading.node, reading.boot, reading.seq, json.dumps(reading), why[:_WHY_KEPT], now_ms),
            )
            return self._shed(db, sink)

    def wanted(self, sink: str, at_most: int) -> list[StoredReading]:
        """Return readings that an operator wants tried again, oldest first."""
        query = "SELECT reading FROM refused WHERE sink = ? AND wanted = 1 ORDER BY id LIMIT ?"
        return [StoredReading(*json.loads(text)) for (text,) in self._rows(query, (sink, at_most))]

    def delivered(self, sink: str, readings: Sequence[StoredReading]) -> None:
        """Forget readings that their sink has taken after all."""
        with self._open() as db:
            db.executemany(
                "DELETE FROM refused WHERE sink = ? AND node = ? AND boot = ? AND seq = ?",
                [(sink, reading.node, reading.boot, reading.seq) for reading in readings],
            )

    def listed(self, sink: str | None = None, ids: Sequence[int] = ()) -> list[Refused]:
        """Return what is kept, of one sink or of these ids or all of it, oldest first."""
        where, values = _where(sink, ids)
        columns = "id, sink, reading, why, at_ms, tries, wanted"
        rows = self._rows(f"SELECT {columns} FROM refused{where} ORDER BY id", values)  # noqa: S608 - names of ours
        return [
            Refused(id_, name, StoredReading(*json.loads(text)), why, at_ms, tries, bool(wanted))
            for id_, name, text, why, at_ms, tries, wanted in rows
        ]

    def counts(self) -> dict[str, int]:
        """Return how many readings are kept of each sink."""
        return dict(self._rows("SELECT sink, count(*) FROM refused GROUP BY sink ORDER BY sink", ()))

    def replay(self, sink: str | None = None, ids: Sequence[int] = ()) -> int:
        """Have readings tried again; return how many."""
        where, values = _where(sink, ids)
        return self._change(f"UPDATE refused SET wanted = 1{where}", values)  # noqa: S608 - names of ours

    def drop(self, sink: str | None = None, ids: Sequence[int] = ()) -> int:
        """Forget readings for good; return how many."""
        where, values = _where(sink, ids)
        return self._change(f"DELETE FROM refused{where}", values)  # noqa: S608 - names of ours

    def _change(self, statement: str, values: tuple[Any, ...]) -> int:
        if not self._path.exists():
            return 0
        with self._open() as db:
            return int(db.execute(statement, values).rowcount)

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        with self._open() as db:
            return db.execute(query, values).fetchall()

    def _shed(self, db: sqlite3.Connection, sink: str) -> int:
        """Delete a tenth at a time, oldest first, so that a flood does not sort the table at every reading."""
        (rows,) = db.execute("SELECT count(*) FROM refused WHERE sink = ?", (sink,)).fetchone()
        if rows <= self._rows_kept:
            return 0
        oldest = "SELECT id FROM refused WHERE sink = ? ORDER BY id LIMIT ?"
        gone = db.execute(
            f"DELETE FROM refused WHERE id IN ({oldest})",  # noqa: S608 - names of ours
            (sink, rows - self._rows_kept + self._rows_kept // _SHED_PART),
        )
        return gone.rowcount

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._path, timeout=_BUSY_S)
            try:
                with db:
                    db.execute("PRAGMA synchronous = FULL")
                    db.executescript(_TABLE)
                    yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            msg = f"{self._path}: {error}"
            raise StoreError(msg) from error


def _where(sink: str | None, ids: Sequence[int]) -> tuple[str, tuple[Any, ...]]:
    if ids:
        return f" WHERE id IN ({', '.join('?' * len(ids))})", tuple(ids)
    return ("", ()) if sink is None else (" WHERE sink = ?", (sink,))
