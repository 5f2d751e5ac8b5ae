"""The store's tables, how a file is opened, judged and, if it is damaged, set aside."""

import fcntl
import logging
import os
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from derb_gateway.errors import StoreInUse, StoreLocked

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
_TABLES = """
CREATE TABLE reading (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    body TEXT NOT NULL,
    observed_ms INTEGER NOT NULL,
    error_ms INTEGER,
    lower_bound INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    synchronised INTEGER NOT NULL,
    UNIQUE (node, boot, seq)
) STRICT;
CREATE TABLE known (
    node TEXT NOT NULL, boot INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
    PRIMARY KEY (node, boot, low)
) STRICT, WITHOUT ROWID;
CREATE TABLE node (
    node TEXT PRIMARY KEY,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, frames INTEGER NOT NULL, tags BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE waiting (
    node TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_age ON waiting (last_ms);
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    topic TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    raw BLOB NOT NULL, length INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL
) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursor (
    sink TEXT PRIMARY KEY, reading INTEGER NOT NULL, state TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE moment (name TEXT PRIMARY KEY, unix_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


class Damaged(Exception):
    """The file is not a sound store."""


def lock(path: Path) -> int:
    """Return a descriptor that holds the store for this process alone; StoreLocked, StoreInUse."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        msg = f"{path}: cannot be opened: {error.strerror}"
        raise StoreLocked(msg) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        msg = f"{path}: another gateway is using this store"
        raise StoreInUse(msg) from None
    return descriptor


def open_store(path: Path, above_id: int = 0) -> tuple[sqlite3.Connection, Path | None]:
    """Return a connection to a sound store and, if the old file was damaged, where it was put."""
    try:
        return connect(path, above_id), None
    except Damaged as damage:
        aside = set_aside(path)
        log.error("store damaged, set aside", extra={"aside": str(aside), "why": str(damage)})  # noqa: TRY400
        return connect(path, above_id), aside


def connect(path: Path, above_id: int = 0) -> sqlite3.Connection:
    """Return a checked connection in WAL mode with full sync; a new file counts on from `above_id`.

    Raises Damaged, StoreLocked.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        msg = f"{path}: cannot be opened: {error}"
        raise StoreLocked(msg) from None
    try:
        _prepare(connection, above_id)
    except sqlite3.DatabaseError as error:
        connection.close()
        if not is_damage(error):
            msg = f"{path}: cannot be opened: {error}"
            raise StoreLocked(msg) from None
        raise Damaged(str(error)) from None
    except (Damaged, StoreLocked):
        connection.close()
        raise
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file's content is bad, not the disk or the caller."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path) -> Path:
    """Rename a store and what belongs to it; return the new name."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _prepare(connection: sqlite3.Connection, above_id: int) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise Damaged(str(found[0]) if found else "quick_check says nothing")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        _create(connection, above_id)
    elif version > SCHEMA_VERSION:
        msg = f"the store has version {version}, made by a newer gateway; this one knows {SCHEMA_VERSION}"
        raise StoreLocked(msg)


def _create(connection: sqlite3.Connection, above_id: int) -> None:
    """Create the tables; ids begin at the time in microseconds, so that no id of a lost file comes again."""
    first_id = max(above_id, time.time_ns() // 1_000)
    start = f"INSERT INTO sqlite_sequence VALUES ('reading', {first_id:d});"  # noqa: S608 - a number of ours
    connection.executescript(f"BEGIN; {_TABLES} {start} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def unlock(descriptor: int) -> None:
    """Let other processes have the store."""
    os.close(descriptor)
