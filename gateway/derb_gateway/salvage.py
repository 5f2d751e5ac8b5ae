"""A sound store out of a damaged one: whatever can still be read, under the ids it had."""

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from derb_gateway import carve
from derb_gateway.intervals import IntervalSet
from derb_gateway.stored_body import plausible

log = logging.getLogger(__name__)

_BOOTS = 1 << 32
_SEQUENCES = 1 << 14
_NODE_CHARACTERS = 12
_ROWS_AT_ONCE = 5_000
_MOMENTS = ("received_until", "relay.")
_TYPES = {
    "reading": "0tiiitiniii",
    "quarantine": "0btttbiiiii",
    "sequence": "ti",
    "known": "tiii",
    "node": "tiiibi",
    "named": "ti",
    "cursor": "tiT",
    "alarm": "tiiit",
}


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
        self._takers: tuple[Callable[[carve.Row], bool], ...] = (
            self._reading,
            self._interval,
            self._node,
            self._cursor,
            self._named,
            self._refused,
            self._alarm,
        )

    def take(self, row: carve.Row | None) -> None:
        """Write a row down if it is one of ours."""
        if row is None:
            self.found["unreadable"] += 1
        else:
            any(taker(row) for taker in self._takers)

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

    def _reading(self, row: carve.Row) -> bool:
        if row.rowid is None or not _fits(row.values, "reading"):
            return False
        values: Any = row.values
        if not (_is_node(values[1]) and plausible(values[4], values[5])):
            self.found["unreadable"] += 1
            return True
        _, node, boot, seq, *_ = values
        self._readings.append((row.rowid, *values[1:]))
        self._known.setdefault((node, boot), IntervalSet()).add(seq, seq)
        self._saw(node, boot, seq)
        self.top_id = max(self.top_id, row.rowid)
        if len(self._readings) >= _ROWS_AT_ONCE:
            self._flush()
        return True

    def _flush(self) -> None:
        marks = ", ".join("?" * 11)
        self._db.executemany(f"INSERT OR IGNORE INTO reading VALUES ({marks})", self._readings)  # noqa: S608
        self._readings.clear()

    def _interval(self, row: carve.Row) -> bool:
        """Take what tells a repeat from a new reading; the readings' index has the same shape, and ids as last numbers."""
        if row.rowid is not None or not _fits(row.values, "known") or not _is_node(row.values[0]):
            return False
        values: Any = row.values
        node, boot, low, high = values
        if not (0 < boot < _BOOTS and 0 <= low < _SEQUENCES):
            return False
        if low <= high < _SEQUENCES:
            self._known.setdefault((node, boot), IntervalSet()).add(low, high)
        else:
            self._saw(node, boot, low)
        return True

    def _saw(self, node: str, boot: int, seq: int) -> None:
        """Note a reading's number: what claims to be known beyond the highest is a wrong bit, and would cost readings."""
        self._tops[node, boot] = max(seq, self._tops.get((node, boot), 0))

    def _node(self, row: carve.Row) -> bool:
        if row.rowid is not None or not _fits(row.values, "node", shorter=1) or not _is_node(row.values[0]):
            return False
        late = row.values[5] if len(row.values) > 5 else 0
        self._db.execute(
            "INSERT INTO node VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET last_ms = excluded.last_ms,"
            " frames = excluded.frames, tags = excluded.tags, late = excluded.late WHERE excluded.frames > frames",
            (*row.values[:5], late),
        )
        return True

    def _cursor(self, row: carve.Row) -> bool:
        """Take how far a sink had got: the farthest that is written anywhere."""
        if row.rowid is not None or not _fits(row.values, "cursor"):
            return False
        self._db.execute(
            "INSERT INTO cursor VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET reading = excluded.reading,"
            " state = excluded.state WHERE excluded.reading > reading",
            row.values,
        )
        self.top_id = max(self.top_id, int(row.values[1]))  # type: ignore[arg-type]
        return True

    def _named(self, row: carve.Row) -> bool:
        """Take a counter, a moment, or the highest id there ever was."""
        if not _fits(row.values, "named"):
            return False
        name, value = str(row.values[0]), int(row.values[1])  # type: ignore[arg-type]
        if row.rowid is not None:
            self.top_id = max(self.top_id, value if name == "reading" else 0)
            return True
        moment = name == _MOMENTS[0] or (name.startswith(_MOMENTS[1]) and name.endswith(".heard"))
        table, column = ("moment", "unix_ms") if moment else ("counter", "value")
        self._db.execute(
            f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT DO UPDATE SET {column} = max({column}, excluded.{column})",  # noqa: S608
            (name, value),
        )
        return True

    def _refused(self, row: carve.Row) -> bool:
        if row.rowid is None or not _fits(row.values, "quarantine", shorter=1):
            return False
        self._db.execute(
            "INSERT OR IGNORE INTO quarantine (digest, topic, reason, detail, raw, length, first_ms, last_ms, count)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row.values[1:10],
        )
        return True

    def _alarm(self, row: carve.Row) -> bool:
        if row.rowid is not None or not _fits(row.values, "alarm"):
            return False
        self._db.execute("INSERT OR REPLACE INTO alarm VALUES (?, ?, ?, ?, ?)", row.values)
        return True


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
        yield from _log_pages(path.with_name(path.name + "-wal"), size)
        file.seek(size)
        while page := file.read(size):
            yield page.ljust(size, b"\0")


def _log_pages(path: Path, size: int) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        place = carve.wal_frames(file.read(32), size)
        if place is None:
            return
        salts, at, length = place
        for start in range((os.fstat(file.fileno()).st_size - at) // length - 1, -1, -1):
            file.seek(at + start * length)
            page = carve.frame_page(file.read(length), salts)
            if page is not None:
                yield page


def _fits(values: tuple[carve.Value, ...], table: str, *, shorter: int = 0) -> bool:
    """Return whether values have a table's types; `shorter`: columns that an older version had not."""
    types = _TYPES[table]
    if not len(types) - shorter <= len(values) <= len(types):
        return False
    return all(_is(value, kind) for value, kind in zip(values, types, strict=False))


def _is(value: carve.Value, kind: str) -> bool:
    if value is None:
        return kind in "0nT"
    wanted = {"t": str, "T": str, "b": bytes, "i": int, "n": int}.get(kind)
    return wanted is not None and type(value) is wanted


def _is_node(value: object) -> bool:
    return isinstance(value, str) and len(value) == _NODE_CHARACTERS and not value.strip("0123456789abcdef")
