"""What the gateway keeps: a thin face over the tables. All writes run in the writer's thread."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from derb_gateway import alarms, running, schema
from derb_gateway.errors import StoreError, StoreLocked
from derb_gateway.intervals import IntervalSet


class NewReading(NamedTuple):
    """A row of `reading` before it has an id; `error_ms` None: no bound is known."""

    node: str
    boot: int
    seq: int
    kind: int
    body: str
    observed_ms: int
    error_ms: int | None
    lower_bound: bool
    received_ms: int
    synchronised: bool


class StoredReading(NamedTuple):
    """A row of `reading`."""

    id: int
    node: str
    boot: int
    seq: int
    kind: int
    body: str
    observed_ms: int
    error_ms: int | None
    lower_bound: bool
    received_ms: int
    synchronised: bool


class StoredTime(NamedTuple):
    """When a reading was made, and by how much earlier it may have been (None: no bound is known)."""

    id: int
    observed_ms: int
    error_ms: int | None


class KnownChange(NamedTuple):
    """A boot's intervals as they were read and as they are now."""

    node: str
    boot: int
    before: list[tuple[int, int]]
    now: list[tuple[int, int]]


class Store:
    """One SQLite file, held by one process."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; a damaged one is set aside. StoreLocked."""
        self.path = path
        self._top_id = 0
        self._lock = schema.lock(path)
        try:
            self.db, self.renewal = schema.open_store(path)
        except (schema.Damaged, OSError) as error:
            schema.unlock(self._lock)
            msg = f"{path}: is damaged and cannot be replaced: {error}"
            raise StoreLocked(msg) from error
        self._untold = self.renewal
        self.is_open, self._waits_for_file = True, False
        self._tell()

    def note_pid(self) -> None:
        """Let other commands signal this process while it holds the store."""
        running.note_pid(self._lock)

    def replace_damaged(self) -> None:
        """Set the file aside and go on with a new one; StoreError, and `ensure_open` tries again."""
        self.is_open = False
        self.db.close()
        try:
            schema.replace(self.path)
        except OSError as error:
            msg = f"{self.path}: cannot be set aside: {error.strerror}"
            raise StoreError(msg) from error
        self.ensure_open()

    def let_go_of_file(self) -> None:
        """Have it opened anew: its disk may have been taken away and put back."""
        self.is_open, self._waits_for_file = False, True
        with suppress(sqlite3.Error):  # it does not work anyway
            self.db.close()

    def ensure_open(self) -> None:
        """Open the file if replacing a damaged one has failed, or it was let go of; StoreError."""
        if self.is_open:
            return
        if self._waits_for_file and not self.path.exists():
            msg = f"{self.path} is not there now, and a new one would hide it"
            raise StoreError(msg)
        try:
            self.db, renewal = schema.open_store(self.path, self._top_id)
        except (schema.Damaged, StoreLocked, OSError) as error:
            msg = f"the store is not open: {error}"
            raise StoreError(msg) from error
        self.renewal, self._untold = renewal or self.renewal, renewal
        self.is_open, self._waits_for_file = True, False
        self._tell()

    def _tell(self) -> None:
        """Raise the alarm if the file is a new one in place of a damaged one."""
        renewal, self._untold = self._untold, None
        if renewal is None:
            return
        salvaged = "nothing" if renewal.salvaged is None else f"{renewal.salvaged} readings"
        name = alarms.STORE_NOT_SALVAGED if renewal.salvaged is None else alarms.STORE_DAMAGED
        with suppress(sqlite3.Error):  # the log has it too
            now_ms = time.time_ns() // 1_000_000
            alarms.raise_alarm(self.db, name, f"{salvaged} came over from {renewal.aside}", now_ms)
            self.count({"damaged_files_deleted": renewal.dropped} if renewal.dropped else {})

    def close(self) -> None:
        """Close the file and let others have it."""
        self.db.close()
        schema.unlock(self._lock)

    # Readings

    def insert(self, readings: Iterable[NewReading]) -> None:
        """Insert readings that `known` says are new."""
        self.db.executemany(
            "INSERT INTO reading (node, boot, seq, kind, body, observed_ms, error_ms, lower_bound,"
            " received_ms, synchronised) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            readings,
        )

    def last_id(self) -> int:
        """Return the id of the newest reading there ever was."""
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'reading'").fetchone()
        self._top_id = max(self._top_id, int(row[0]))
        return int(row[0])

    def values(self, node: str, boot: int, first: int, last: int) -> dict[int, tuple[int, str]]:
        """Return (kind, body) of the readings that still stand here, by sequence number."""
        rows = self.db.execute(
            "SELECT seq, kind, body FROM reading WHERE node = ? AND boot = ? AND seq BETWEEN ? AND ?",
            (node, boot, first, last),
        )
        return {seq: (kind, body) for seq, kind, body in rows}

    def time_if_unforwarded(self, node: str, boot: int, seq: int) -> StoredTime | None:
        """Return a reading's time if no sink has passed it yet."""
        row = self.db.execute(
            "SELECT id, observed_ms, error_ms FROM reading WHERE node = ? AND boot = ? AND seq = ?"
            " AND id > coalesce((SELECT max(reading) FROM cursor), 0)",
            (node, boot, seq),
        ).fetchone()
        return StoredTime(*row) if row else None

    def refine_time(self, id_: int, observed_ms: int, error_ms: int | None, *, lower_bound: bool) -> None:
        """Replace a reading's time by a surer one."""
        self.db.execute(
            "UPDATE reading SET observed_ms = ?, error_ms = ?, lower_bound = ? WHERE id = ?",
            (observed_ms, error_ms, lower_bound, id_),
        )

    def prune(self, keep: int, sinks: Sequence[str], at_most: int = 1 << 62) -> int:
        """Delete readings that all these sinks have, oldest first, but the last `keep`; return how many went."""
        passed = min((self.cursor(sink)[0] for sink in sinks), default=self.last_id())
        below = min(passed, self.last_id() - keep)
        oldest = "SELECT id FROM reading WHERE id <= ? ORDER BY id LIMIT ?"
        return self.db.execute(f"DELETE FROM reading WHERE id IN ({oldest})", (below, at_most)).rowcount  # noqa: S608

    # What is known, for ever

    def known(self, node: str, boot: int) -> IntervalSet:
        """Return the sequence numbers of a boot that were stored, pruned since or not."""
        rows = self.db.execute("SELECT low, high FROM known WHERE node = ? AND boot = ?", (node, boot))
        return IntervalSet(rows)

    def save_known(self, changes: Iterable[KnownChange]) -> None:
        """Write what changed between two states of some boots' intervals."""
        gone: list[tuple[str, int, int]] = []
        new: list[tuple[str, int, int, int]] = []
        for node, boot, before, now in changes:
            lows = {low for low, _ in now}
            gone += [(node, boot, low) for low, _ in before if low not in lows]
            new += [(node, boot, low, high) for low, high in set(now).difference(before)]
        self.db.executemany("DELETE FROM known WHERE node = ? AND boot = ? AND low = ?", gone)
        self.db.executemany(
            "INSERT INTO known VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET high = excluded.high", new
        )

    # Nodes

    def node(self, node: str) -> tuple[int, int, int, bytes, int] | None:
        """Return (first seen, last seen, frames, latest tags, late readings) of a node that was heard before."""
        row = self.db.execute(
            "SELECT first_ms, last_ms, frames, tags, late FROM node WHERE node = ?", (node,)
        ).fetchone()
        return row if row is None else (row[0], row[1], row[2], row[3], row[4])

    def save_nodes(self, rows: Iterable[tuple[str, int, int, int, bytes, int]]) -> None:
        """Write rows of (node, first seen, last seen, frames, latest tags, late readings)."""
        self.db.executemany(
            "INSERT INTO node VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET last_ms = excluded.last_ms,"
            " frames = excluded.frames, tags = excluded.tags, late = excluded.late",
            rows,
        )

    # Counters, cursors, moments

    def count(self, by: Mapping[str, int]) -> None:
        """Add to counters."""
        self.db.executemany(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            by.items(),
        )

    def set_counters(self, to: Mapping[str, int]) -> None:
        """Write down numbers that somebody else counts."""
        self.db.executemany("INSERT OR REPLACE INTO counter (name, value) VALUES (?, ?)", to.items())

    def counters(self) -> Counter[str]:
        """Return all counters."""
        return Counter(dict(self.db.execute("SELECT name, value FROM counter")))

    def cursor(self, sink: str) -> tuple[int, str | None]:
        """Return the id of the last reading a sink has, and what the sink wrote beside it."""
        row = self.db.execute("SELECT reading, state FROM cursor WHERE sink = ?", (sink,)).fetchone()
        return (row[0], row[1]) if row else (0, None)

    def save_cursor(self, sink: str, reading: int, state: str | None) -> None:
        """Write how far a sink has got."""
        self.db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (sink, reading, state))

    def forget_cursor(self, sink: str) -> None:
        """Take a cursor away."""
        self.db.execute("DELETE FROM cursor WHERE sink = ?", (sink,))

    def moment(self, name: str) -> int | None:
        """Return a kept moment in Unix milliseconds."""
        row = self.db.execute("SELECT unix_ms FROM moment WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else None

    def save_moment(self, name: str, unix_ms: int) -> None:
        """Keep a moment."""
        self.db.execute("INSERT OR REPLACE INTO moment VALUES (?, ?)", (name, unix_ms))
