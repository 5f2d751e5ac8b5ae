"""The store's tables, how a file is opened, judged and, if it is damaged, set aside."""

import fcntl
import logging
import os
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from derb_gateway import log_tail, running
from derb_gateway.aside import drop_oldest, files_aside, set_aside
from derb_gateway.errors import StoreInUse, StoreLocked
from derb_gateway.migrations import SCHEMA_VERSION, bring_up
from derb_gateway.salvage import salvage
from derb_gateway.torn import take_back

log = logging.getLogger(__name__)

_CHECKED_AT_START_BYTES = 64 << 20
_NO_SUCH_VERSION = 1000


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
    running.forget_pid(descriptor)  # who held it before is not who may be signalled now
    return descriptor


class Renewal(NamedTuple):
    """A damaged file was replaced: where it is now, and how many readings came over; None: they could not be copied.

    `dropped`: how many older damaged files had to go.
    """

    aside: Path
    salvaged: int | None
    dropped: int = 0


def open_store(path: Path, above_id: int = 0) -> tuple[sqlite3.Connection, Renewal | None]:
    """Return a connection to a sound store and, if the old file was damaged, what became of that."""
    aside = None
    if path.exists() or (aside := _cut_off(path)) is None:
        try:
            return connect(path, above_id), None
        except Damaged as damage:
            log.error("store damaged", extra={"path": str(path), "why": str(damage)})  # noqa: TRY400
            aside = replace(path)
    dropped = drop_oldest(path)  # first, since what they free may be what the salvage needs
    salvaged = _renew(path, aside, above_id)
    return connect(path, above_id), Renewal(aside, salvaged, dropped)


def replace(path: Path) -> Path:
    """Set a damaged file aside, so that the next `open_store` makes a new one of it; return its new name. OSError."""
    with suppress(
        OSError
    ):  # on a full disk only what a power cut in the next moment would leave is not salvaged
        _unfinished(path).touch()
    return set_aside(path)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".salvage")


def _cut_off(path: Path) -> Path | None:
    """Return the file that is aside if there is no store since its salvage was begun and not ended."""
    files = files_aside(path) if _unfinished(path).exists() else []
    return max(files, default=None)


def _renew(path: Path, aside: Path, above_id: int) -> int | None:
    """Make a new store of what can be read in the old one, whole or not at all; return how many readings came over."""
    new = _unfinished(path)
    try:
        new.unlink(missing_ok=True)
        found = _salvaged(new, aside, above_id)
        _sync(new)
        new.rename(path)
        _sync(path.parent)
    except (OSError, sqlite3.Error) as error:
        log.error("store not salvaged", extra={"aside": str(aside), "why": str(error)})  # noqa: TRY400
        with suppress(OSError):
            new.unlink(missing_ok=True)
        return None
    log.error("store damaged, set aside", extra={"aside": str(aside), **found})
    return found["readings"]


def _salvaged(new: Path, aside: Path, above_id: int) -> Counter[str]:
    db = sqlite3.connect(new, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA cache_size = -32768")  # rows of many nodes go into their index at as many places
        db.execute("PRAGMA synchronous = OFF")  # the whole file is synced before it gets its name
        bring_up(db)
        _begin_ids(db, above_id)
        return salvage(aside, db)
    finally:
        db.close()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path, above_id: int = 0) -> sqlite3.Connection:
    """Return a checked connection in WAL mode with full sync; a new file counts on from `above_id`.

    Raises Damaged, StoreLocked.
    """
    behind = _behind_log(path)
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        msg = f"{path}: cannot be opened: {error}"
        raise StoreLocked(msg) from None
    connection.text_factory = text_of
    try:
        _prepare(connection, path, above_id)
        _take_back(connection, behind)
    except sqlite3.DatabaseError as error:
        connection.close()
        if not is_damage(error):
            msg = f"{path}: cannot be opened: {error}{_whose(error)}"
            raise StoreLocked(msg) from None
        raise Damaged(str(error)) from None
    except (Damaged, StoreLocked):
        connection.close()
        raise
    return connection


def _whose(error: sqlite3.Error) -> str:
    may_not_write = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY
    return ": is it another user's, or its disk mounted read-only?" if may_not_write else ""


def _behind_log(path: Path) -> list[bytes]:
    """Return the pages of a last transaction that a power cut, or a flipped bit, keeps SQLite from reading."""
    try:
        behind = log_tail.tail(path)
    except OSError as error:
        msg = f"{path}: its log cannot be read: {error.strerror}"
        raise StoreLocked(msg) from None
    if behind is not None and behind.certain:
        raise Damaged("its log is damaged before its end")
    return behind.pages if behind else []


def _take_back(connection: sqlite3.Connection, pages: list[bytes]) -> None:
    if pages and (count := take_back(connection, pages)):
        log.warning("readings taken back from a torn log", extra={"readings": count})


def text_of(raw: bytes) -> str:
    """Return text as it is kept; a flipped bit in it, which no check of SQLite's finds, must stop nobody who reads."""
    return raw.decode(errors="replace")


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file's content is bad, not the disk or the caller."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_fault_of_disk(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file cannot be reached or written; not that there is no room."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def check_whole(path: Path) -> str | None:
    """Read a whole file beside its writer and return what is wrong with it, None if it is sound. sqlite3.Error.

    A large file is looked at in this way while the gateway already works.
    """
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return fault_of(db)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise
    finally:
        db.close()


def is_large(path: Path) -> bool:
    """Return whether a file is too large to be read as a whole before anything else happens."""
    return path.exists() and path.stat().st_size > _CHECKED_AT_START_BYTES


def fault_of(db: sqlite3.Connection) -> str | None:
    """Return what SQLite's quick_check finds wrong, None if nothing. sqlite3.Error."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()
    if found == ("ok",):
        return None
    return str(found[0]) if found else "quick_check says nothing"


def _prepare(connection: sqlite3.Connection, path: Path, above_id: int) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if not is_large(path) and (fault := fault_of(connection)) is not None:
        raise Damaged(fault)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 <= version <= _NO_SUCH_VERSION:
        msg = f"no store has version {version}"
        raise Damaged(msg)
    if version > SCHEMA_VERSION:
        msg = f"the store has version {version}, made by a newer gateway; this one knows {SCHEMA_VERSION}"
        raise StoreLocked(msg)
    if version < SCHEMA_VERSION:
        _bring_up(connection)
    _begin_ids(connection, above_id)


def _bring_up(connection: sqlite3.Connection) -> None:
    try:
        version = bring_up(connection)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        raise Damaged(str(error)) from None  # tables are there that its version has not, or the reverse
    if version:
        log.info("store brought up", extra={"from_version": version, "to_version": SCHEMA_VERSION})


def _begin_ids(connection: sqlite3.Connection, above_id: int) -> None:
    """Let ids begin at the time in microseconds, so that no id of a lost file comes again."""
    first_id = max(above_id, time.time_ns() // 1_000)
    connection.execute(
        "INSERT INTO sqlite_sequence SELECT 'reading', ? WHERE NOT EXISTS"
        " (SELECT * FROM sqlite_sequence WHERE name = 'reading')",
        (first_id,),
    )


def unlock(descriptor: int) -> None:
    """Let other processes have the store."""
    os.close(descriptor)
