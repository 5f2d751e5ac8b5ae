"""The file of orders: its tables, and transactions that are all or nothing."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from derb_gateway.errors import StoreError

_TABLES = """
CREATE TABLE IF NOT EXISTS desired (
    node TEXT PRIMARY KEY, version INTEGER NOT NULL, settings TEXT NOT NULL, set_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reported (
    node TEXT PRIMARY KEY, boot INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, health TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS command (
    node TEXT NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, argument INTEGER NOT NULL,
    deadline_ms INTEGER NOT NULL, asked_ms INTEGER NOT NULL,
    result TEXT, value INTEGER, answered_ms INTEGER,
    PRIMARY KEY (node, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS campaign (
    id INTEGER PRIMARY KEY, state TEXT NOT NULL, why TEXT NOT NULL, plan TEXT NOT NULL,
    wave INTEGER NOT NULL, wave_ms INTEGER NOT NULL, began_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS campaign_node (
    campaign INTEGER NOT NULL, node TEXT NOT NULL, wave INTEGER NOT NULL, state TEXT NOT NULL,
    command INTEGER, why TEXT NOT NULL, PRIMARY KEY (campaign, node)
) STRICT, WITHOUT ROWID;
"""
_BUSY_S = 10.0


class translating:  # noqa: N801 - used as a statement
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            msg = f"the orders cannot be used: {error}"
            raise StoreError(msg) from error


class Transaction(translating):
    """All or nothing, and synced."""

    def __init__(self, db: sqlite3.Connection, lock: threading.Lock, wrote: Callable[[], None]) -> None:
        self._db = db
        self._lock = lock
        self._wrote = wrote

    def __enter__(self) -> sqlite3.Connection:  # type: ignore[override]
        self._lock.acquire()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._lock.release()
            super().__exit__(None, error, None)
        return self._db

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._wrote()
            self._db.execute("ROLLBACK" if error else "COMMIT")
        except sqlite3.Error as failed:
            super().__exit__(None, failed, None)
        finally:
            self._lock.release()
        super().__exit__(kind, error, trace)


def open_orders(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_TABLES)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def translated(path: Path, error: Exception) -> StoreError:
    return StoreError(f"{path}: cannot be used: {error}")
