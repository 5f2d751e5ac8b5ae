"""A sound store out of a damaged one: whatever can still be read, under the ids it had."""

import logging
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from derb_gateway import carve, log_tail
from derb_gateway.intervals import IntervalSet
from derb_gateway.readings import PLACE
from derb_gateway.stored_body import plausible

log = logging.getLogger(__name__)

_BOOTS = 1 << 32
_SEQUENCES = 1 << 14
_ROWS_AT_ONCE = 5_000
_NODE = re.compile(r"[0-9a-f]{12}")
_PLACE = re.compile(r"(bay|container):.+")
_MOMENT = re.compile(r"received_until|places_until|relay\..*\.heard")
_NULL = type(None)


class Salvage:
    """What was found in a damaged file so far."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """`db`: an empty store to write into."""
        self.found: Counter[str] = Counter()
        self.top_id = 0
        self._db = db
        self._readings: list[tuple[Any, ...]] = []
        self._known: dict[tuple[str, int], IntervalSet] = {}
        self._tops: dict[tuple[str, int], int] = {}
        self._takers = self._by_shape()

    def _by_shape(self) -> dict[tuple[bool, tuple[type, ...]], Callable[[Any, Any], None]]:
        """Say by a record's types, and whether it has a row id, which table it is of; older versions had fewer columns."""
        reading = (_NULL, str, int, int, int, str, int, int, int, int, int)
        unbounded = (*reading[:7], _NULL, *reading[8:])
        refused = (_NULL, bytes, str, str, str, bytes, int, int, int, int)
        node = (str, int, int, int, bytes)
        return {
            (True, reading): self._reading,
            (True, unbounded): self._reading,
            (True, refused): self._refused,
            (True, (str, int)): self._top,
            (False, (str, int, int, int)): self._interval,
            (False, node): self._node,
            (False, (*node, int)): self._node,
            (False, (str, int, str)): self._cursor,
            (False, (str, int, _NULL)): self._cursor,
            (False, (str, int)): self._named,
            (False, (str, int, int, int, str)): self._alarm,
            (False, (str, str, int, int)): self._place_report,
        }

    def take(self, row: carve.Row | None) -> None:
        """Write a row down if it is one of ours."""
        if row is None:
            self.found["unreadable"] += 1
            return
        taker = self._takers.get((row.rowid is not None, tuple(map(type, row.values))))
        if taker is not None:
            taker(row.rowid, row.values)

    def finish(self) -> None:
        """Write what was gathered."""
        self._flush()
        for (node, boot), held in self._known.items():
            top = self._tops.get((node, boot), _SEQUENCES)
            rows = [(node, boot, low, min(high, top)) for low, high in held.intervals() if low <= top]
            self._db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", rows)
        self.found["readings"] = int(self._db.execute("SELECT count(*) FROM reading").fetchone()[0])
        if self.top_id:
            self._db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?)", (self.top_id,))

    def _reading(self, rowid: int, values: Any) -> None:
        _, node, boot, seq, kind, body, *_ = values
        speaker = _PLACE if kind == PLACE else _NODE
        if not (speaker.fullmatch(node) and plausible(kind, body)):
            self.found["unreadable"] += 1
            return
        self._readings.append((rowid, *values[1:]))
        if kind != PLACE:
            self._known.setdefault((node, boot), IntervalSet()).add(seq, seq)
            self._saw(node, boot, seq)
        self.top_id = max(self.top_id, rowid)
        if len(self._readings) >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        marks = ", ".join("?" * 11)
        self._db.executemany(f"INSERT OR IGNORE INTO reading VALUES ({marks})", self._readings)  # noqa: S608
        self._readings.clear()

    def _interval(self, _: None, values: Any) -> None:
        """Take what tells a repeat from a new reading; the readings' index has the same shape, and ids as last numbers."""
        node, boot, low, high = values
        if not (0 < boot < _BOOTS and 0 <= low < _SEQUENCES and _NODE.fullmatch(node)):
            return
        if low <= high < _SEQUENCES:
            self._known.setdefault((node, boot), IntervalSet()).add(low, high)
        else:
            self._saw(node, boot, low)

    def _saw(self, node: str, boot: int, seq: int) -> None:
        """Note a reading's number: what claims to be known beyond the highest is a wrong bit, and would cost readings."""
        self._tops[node, boot] = max(seq, self._tops.get((node, boot), 0))

    def _node(self, _: None, values: Any) -> None:
        late = values[5] if len(values) > 5 else 0
        self._db.execute(
            "INSERT INTO node VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET last_ms = excluded.last_ms,"
            " frames = excluded.frames, tags = excluded.tags, late = excluded.late WHERE excluded.frames > frames",
            (*values[:5], late),
        )

    def _cursor(self, _: None, values: Any) -> None:
        """Take how far a sink had got: the farthest that is written anywhere."""
        self._db.execute(
            "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET reading = excluded.reading,"
            " state = excluded.state WHERE excluded.reading > reading",
            values,
        )
        self.top_id = max(self.top_id, values[1])

    def _top(self, _: int, values: Any) -> None:
        """Take the highest id there ever was."""
        if values[0] == "reading":
            self.top_id = max(self.top_id, values[1])

    def _named(self, _: None, values: Any) -> None:
        """Take a counter or a moment."""
        table, column = ("moment", "unix_ms") if _MOMENT.fullmatch(values[0]) else ("counter", "value")
        self._db.execute(
            f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT DO UPDATE SET {column} = max({column}, excluded.{column})",  # noqa: S608
            values,
        )

    def _refused(self, _: int, values: Any) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO quarantine (digest, topic, reason, detail, raw, length, first_ms, last_ms, count)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values[1:],
        )

    def _alarm(self, _: None, values: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO alarm VALUES (?, ?, ?, ?, ?)", values)

    def _place_report(self, _: None, values: Any) -> None:
        """Take what was said last of a place: one that is closed would never be opened without it."""
        if _PLACE.fullmatch(values[0]):
            self._db.execute("INSERT OR REPLACE INTO place_report VALUES (?, ?, ?, ?)", values)


def salvage(damaged: Path, db: sqlite3.Connection) -> Counter[str]:
    """Write into an empty store what a damaged file and its log still hold; return what was found. OSError, sqlite3.Error."""
    found = Salvage(db)
    db.execute("BEGIN")
    for page in _pages(damaged):
        for row in carve.rows(page):
            found.take(row)
    found.finish()
    db.execute("COMMIT")
    return found.found


def _pages(path: Path) -> Iterator[bytes]:
    """Yield the pages of the log, which are newer, and then those of the file, but for the schema's."""
    with path.open("rb") as file:
        size = carve.page_size(file.read(100))
        yield from _log_pages(log_tail.log_path(path), size)
        file.seek(size)
        while page := file.read(size):
            yield page.ljust(size, b"\0")


def _log_pages(path: Path, size: int) -> Iterator[bytes]:
    """Yield from the end, since a page is written more than once; whether a frame is intact matters no more than in the file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        salts, length = log_tail.salts_of(file.read(log_tail.HEAD_BYTES)), log_tail.FRAME_HEADER_BYTES + size
        count = (os.fstat(file.fileno()).st_size - log_tail.HEADER_BYTES) // length
        for start in range(count - 1, -1, -1):
            file.seek(log_tail.HEADER_BYTES + start * length)
            frame = file.read(length)
            if frame[8:16] == salts and int.from_bytes(frame[:4], "big") != 1:
                yield frame[log_tail.FRAME_HEADER_BYTES :]
