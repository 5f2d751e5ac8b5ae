"""The newest that a city's broker was told of each place, so that the past never overwrites the present.

A small file beside the store, written before the broker is asked: after a crash at any moment nothing older than what the
broker may have is sent to it. Losing the file costs no reading.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from derb_gateway.aside import drop_oldest, set_aside
from derb_gateway.errors import StoreError
from derb_gateway.schema import is_damage

log = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS told (
    place TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL,
    observed_at TEXT NOT NULL, node TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (place, attribute)
) STRICT, WITHOUT ROWID;
"""


class Told(NamedTuple):
    """A value, and the reading that it comes from; `observed_at` as in the upstream format."""

    value: str
    observed_at: str
    node: str
    boot: int
    seq: int

    @classmethod
    def of(cls, value: object, reading: Mapping[str, Any]) -> "Told":
        """Return what a reading in the upstream format says."""
        return cls(str(value), reading["observed_at"], reading["node"], reading["boot"], reading["seq"])

    def is_older_than(self, other: "Told") -> bool:
        """Return whether this is the past; in one life of a node its numbers tell, which are surer than its times."""
        if (self.node, self.boot) == (other.node, other.boot):
            return self.seq < other.seq
        return self.observed_at < other.observed_at

    def at(self) -> datetime:
        """Return when it was observed."""
        return datetime.fromisoformat(self.observed_at).astimezone(UTC)


Key = tuple[str, str]
"""A place and one of its attributes."""


def picture_path(store: Path, sink: str) -> Path:
    """Return where a sink's picture is, beside the store."""
    return store.with_suffix(f".{sink}.picture.sqlite3")


class Picture:
    """All that was told; in memory for reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: dict[Key, Told] = {}

    def load(self) -> None:
        """Read the file; a damaged one is set aside. StoreError."""
        with self._open() as db:
            rows = db.execute(
                "SELECT place, attribute, value, observed_at, node, boot, seq FROM told"
            ).fetchall()
        self._told = {(place, attribute): Told(*rest) for place, attribute, *rest in rows}

    def get(self, place: str, attribute: str) -> Told | None:
        """Return what was told of a place last."""
        return self._told.get((place, attribute))

    def save(self, told: Mapping[Key, Told]) -> None:
        """Note what the broker is about to be told; on the disk when it returns. StoreError."""
        new = {key: each for key, each in told.items() if self._told.get(key) != each}
        if not new:
            return
        with self._open() as db:
            rows = [(*key, *each) for key, each in new.items()]
            db.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._told.update(new)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            try:
                db = _connected(self._path)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                log.error("picture damaged, set aside", extra={"aside": str(set_aside(self._path))})  # noqa: TRY400
                drop_oldest(self._path)
                db = _connected(self._path)
            with closing(db), db:
                yield db
        except (sqlite3.Error, OSError) as error:
            msg = f"{self._path}: {error}"
            raise StoreError(msg) from error


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_TABLE)
        db.execute("SELECT count(*) FROM told").fetchone()
    except sqlite3.Error:
        db.close()
        raise
    return db
