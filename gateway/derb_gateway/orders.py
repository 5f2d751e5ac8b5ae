"""What operators want of nodes and how far it has got: configurations and commands, in a file of their own.

`derb gateway config` and `derb gateway command` write here whether the gateway runs or not; the gateway reads what they
wrote at the next frame of the node, and notes what the node says of it. A store that is damaged and set aside takes none of
it along.
"""

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from derb_gateway.aside import drop_oldest, set_aside
from derb_gateway.commands import COMMAND_SECTION, Command, encode_command, first_id
from derb_gateway.errors import StoreError
from derb_gateway.node_settings import CONFIG_SECTION, Value, encode_config, to_json
from derb_gateway.readings import Answer, Health
from derb_gateway.schema import is_damage

log = logging.getLogger(__name__)

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
"""
_BUSY_S = 10.0


class Report(NamedTuple):
    """What a node said of itself or of a command, and when it came."""

    node: str
    boot: int
    seq: int
    body: Health | Answer
    at_ms: int

    def is_newer(self, boot: int, seq: int, at_ms: int) -> bool:
        """Return whether this came after that; an erased node begins at any boot number, and only then clocks tell."""
        return self.at_ms > at_ms if self.boot < boot else (self.boot, self.seq) > (boot, seq)


class Desired(NamedTuple):
    """A node's desired configuration: what differs from what it was provisioned with."""

    version: int
    settings: dict[str, Value]
    set_ms: int


class Reported(NamedTuple):
    """A node's latest health reading."""

    at_ms: int
    health: dict[str, int]


def orders_path(store: Path) -> Path:
    """Return where the orders are, beside the store."""
    return store.with_suffix(".orders.sqlite3")


class OrderBook:
    """The file. Safe in several threads and processes; every method may raise StoreError."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; a damaged one is set aside."""
        self._lock = threading.Lock()
        self._seen = -1
        self._versions: dict[str, int] = {}
        self._busy: set[str] = set()
        try:
            self._db = _open(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise _translated(path, error) from error
            log.error("orders damaged, set aside", extra={"aside": str(set_aside(path))})  # noqa: TRY400
            drop_oldest(path)
            self._db = _open(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # What operators want

    def set_config(self, node: str, changes: Mapping[str, Value | None], now_ms: int) -> Desired:
        """Change a node's desired configuration (None: as provisioned) and return it with its new version."""
        with self._transaction() as db:
            before = _desired(db, node)
            settings = dict(before.settings) if before else {}
            settings.update({name: value for name, value in changes.items() if value is not None})
            for name in [name for name, value in changes.items() if value is None]:
                settings.pop(name, None)
            version = 1 + max(before.version if before else 0, _highest_seen(_reported(db, node)))
            encode_config(version, settings)
            row = (node, version, to_json(settings), now_ms)
            db.execute("INSERT OR REPLACE INTO desired VALUES (?, ?, ?, ?)", row)
            return Desired(version, settings, now_ms)

    def add_command(self, node: str, name: str, argument: int, deadline_ms: int, now_ms: int) -> Command:
        """Queue a command and return it with its id."""
        with self._transaction() as db:
            (last,) = db.execute(
                "SELECT coalesce(max(id), 0) FROM command WHERE node = ?", (node,)
            ).fetchone()
            command = Command(max(last + 1, first_id(now_ms)), name, argument, deadline_ms, now_ms)
            db.execute(
                "INSERT INTO command (node, id, name, argument, deadline_ms, asked_ms) VALUES (?, ?, ?, ?, ?, ?)",
                (node, *command[:5]),
            )
            return command

    # What came of it

    def heard(self, reports: Iterable[Report]) -> None:
        """Note what nodes said."""
        with self._transaction() as db:
            for report in reports:
                if isinstance(report.body, Health):
                    _note_health(db, report, dict(report.body.fields))
                else:
                    _note_answer(db, report.node, report.body, report.at_ms)

    def desired(self, node: str) -> Desired | None:
        """Return a node's desired configuration."""
        with self._lock, _translating():
            return _desired(self._db, node)

    def reported(self, node: str) -> Reported | None:
        """Return a node's latest health."""
        with self._lock, _translating():
            return _reported(self._db, node)

    def commands(self, node: str) -> list[Command]:
        """Return a node's commands, oldest first."""
        with self._lock, _translating():
            return _commands(self._db, node)

    def nodes(self) -> list[str]:
        """Return the nodes that something is known of."""
        query = "SELECT node FROM desired UNION SELECT node FROM reported UNION SELECT node FROM command"
        with self._lock, _translating():
            return [node for (node,) in self._db.execute(query)]

    # What goes into a downlink

    def sections(self, node: str, now_ms: int) -> tuple[int, list[tuple[int, bytes]]]:
        """Return the desired version and the sections that the node has not dealt with yet."""
        with self._lock, _translating():
            self._look()
            version = self._versions.get(node, 0)
            if node not in self._busy:
                return version, []
            return version, [*_config_section(self._db, node), *_command_section(self._db, node, now_ms)]

    def _look(self) -> None:
        """Learn who is waited for, if somebody has written since."""
        (seen,) = self._db.execute("PRAGMA data_version").fetchone()
        if seen == self._seen:
            return
        self._seen = seen
        self._versions = dict(self._db.execute("SELECT node, version FROM desired"))
        self._busy = {node for (node,) in self._db.execute("SELECT node FROM command WHERE result IS NULL")}
        for node, version in self._versions.items():
            if not _dealt_with(version, _reported(self._db, node)):
                self._busy.add(node)

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db, self._lock, self._forget)

    def _forget(self) -> None:
        self._seen = -1  # what this connection wrote, `data_version` does not tell it


class _translating:  # noqa: N801 - used as a statement
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            msg = f"the orders cannot be used: {error}"
            raise StoreError(msg) from error


class _Transaction(_translating):
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


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_TABLES)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db


def _translated(path: Path, error: sqlite3.Error) -> StoreError:
    return StoreError(f"{path}: cannot be used: {error}")


def _desired(db: sqlite3.Connection, node: str) -> Desired | None:
    row = db.execute("SELECT version, settings, set_ms FROM desired WHERE node = ?", (node,)).fetchone()
    return Desired(row[0], json.loads(row[1]), row[2]) if row else None


def _reported(db: sqlite3.Connection, node: str) -> Reported | None:
    row = db.execute("SELECT at_ms, health FROM reported WHERE node = ?", (node,)).fetchone()
    return Reported(row[0], json.loads(row[1])) if row else None


def _commands(db: sqlite3.Connection, node: str) -> list[Command]:
    columns = "id, name, argument, deadline_ms, asked_ms, result, value, answered_ms"
    query = f"SELECT {columns} FROM command WHERE node = ? ORDER BY id"  # noqa: S608 - names of ours
    return [Command(*row) for row in db.execute(query, (node,))]


def _highest_seen(reported: Reported | None) -> int:
    fields = reported.health if reported else {}
    return max(fields.get("config_version", 0), fields.get("config_refused", 0))


def _dealt_with(version: int, reported: Reported | None) -> bool:
    """Whether a node has this version in force, or has refused or left it."""
    return reported is not None and _highest_seen(reported) == version


def _note_health(db: sqlite3.Connection, report: Report, fields: dict[str, int]) -> None:
    node, reported = report.node, Reported(report.at_ms, fields)
    before = db.execute("SELECT boot, seq, at_ms FROM reported WHERE node = ?", (node,)).fetchone()
    if before and not report.is_newer(*before):
        return
    row = (node, report.boot, report.seq, report.at_ms, json.dumps(fields))
    db.execute("INSERT OR REPLACE INTO reported VALUES (?, ?, ?, ?, ?)", row)
    desired = _desired(db, node)
    if desired is not None and _highest_seen(reported) > desired.version:
        # The node knows versions that this file has lost: under a number that it calls old it would never take ours.
        version = _highest_seen(reported) + 1
        db.execute("UPDATE desired SET version = ? WHERE node = ?", (version, node))


def _note_answer(db: sqlite3.Connection, node: str, answer: Answer, at_ms: int) -> None:
    db.execute(
        "UPDATE command SET result = ?, value = ?, answered_ms = ? WHERE node = ? AND id = ?"
        " AND (result IS NULL OR result = 'started')",
        (answer.result, answer.value, at_ms, node, answer.command),
    )


def _config_section(db: sqlite3.Connection, node: str) -> list[tuple[int, bytes]]:
    desired = _desired(db, node)
    if desired is None or _dealt_with(desired.version, _reported(db, node)):
        return []
    return [(CONFIG_SECTION, encode_config(desired.version, desired.settings))]


def _command_section(db: sqlite3.Connection, node: str, now_ms: int) -> list[tuple[int, bytes]]:
    waiting = [c for c in _commands(db, node) if c.result is None and c.deadline_ms >= now_ms]
    return [(COMMAND_SECTION, encode_command(waiting[0]))] if waiting else []
