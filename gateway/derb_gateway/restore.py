"""A store out of a backup. What is there is never deleted, and what the backup cannot know is said."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from derb_gateway import schema
from derb_gateway.alarms import STORE_RESTORED, raise_alarm
from derb_gateway.backup import DROP_TABLES, PARTS_TABLE, Contents, contents_of, path_of_part, sync
from derb_gateway.clock import iso_utc
from derb_gateway.errors import BackupError, StoreInUse
from derb_gateway.migrations import SCHEMA_VERSION


class Restored(NamedTuple):
    """What a restore did; `aside`: where the old store is now; `kept`: what was there beside it and was left alone."""

    contents: Contents
    aside: Path | None
    written: list[Path]
    kept: list[Path]


def restore(backup: Path, store: Path, registry: Path, *, force: bool = False) -> Restored:
    """Put a backup in the place of a store, and beside it what is missing there. BackupError, StoreLocked."""
    with _locked(store), _opened(backup) as db:
        contents = contents_of(db, backup)
        _refuse_if_newer(db, backup)
        if not force and (told := _holds(store)):
            msg = f"{store} holds {told}: restore over it with --force; it is kept aside"
            raise BackupError(msg)
        new = store.with_name(store.name + ".restore")
        try:
            _write_store(db, new, contents)
            aside = _move_aside(store)
            new.rename(store)
            sync(store.parent)
            written, kept = _write_parts(db, store, registry, list(contents.parts))
        except (OSError, sqlite3.Error) as error:
            msg = f"{store}: cannot be restored: {error}"
            raise BackupError(msg) from error
    return Restored(contents, aside, written, kept)


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    try:
        lock = schema.lock(store)
    except StoreInUse as error:
        msg = f"{error}: stop it first (systemctl stop derb-gateway), or it would go on in the old file"
        raise BackupError(msg) from None
    try:
        yield
    finally:
        schema.unlock(lock)


@contextmanager
def _opened(backup: Path) -> Iterator[sqlite3.Connection]:
    if not backup.is_file():
        msg = f"{backup}: there is no such file"
        raise BackupError(msg)
    with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        yield db


def _refuse_if_newer(db: sqlite3.Connection, backup: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        msg = f"{backup}: made by a newer gateway (version {version}; this one knows {SCHEMA_VERSION}): update first"
        raise BackupError(msg)


def _holds(store: Path) -> str:
    """Return what would be put aside, nothing if it is not worth a question."""
    if not store.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as db:
            (readings,) = db.execute("SELECT count(*) FROM reading").fetchone()
            (nodes,) = db.execute("SELECT count(*) FROM node").fetchone()
    except sqlite3.Error as error:
        return f"what cannot be read ({error})"
    return f"{readings} readings of {nodes} nodes" if readings or nodes else ""


def _write_store(backup: sqlite3.Connection, new: Path, contents: Contents) -> None:
    """Copy the store out of the backup; its ids go on above all that were given out since, here or on another card."""
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    now_ms = time.time_ns() // 1_000_000
    with closing(sqlite3.connect(new, isolation_level=None)) as db:
        backup.backup(db)
        db.executescript(DROP_TABLES)
        db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'reading'", (now_ms * 1_000,))
        detail = f"it is as of {iso_utc(contents.at_ms)}: what came later is only where sinks took it"
        if _has_alarms(db):
            raise_alarm(db, STORE_RESTORED, detail, now_ms)
    sync(new)


def _has_alarms(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alarm'").fetchone() is not None


def _move_aside(store: Path) -> Path | None:
    """Give the old store another name too, so that there is a store at any moment; its log must not meet the new one."""
    if not store.exists():
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = store.with_name(f"{store.name}.before-restore-{stamp}")
    try:
        os.link(store, aside)
    except OSError:  # a file system without links
        store.rename(aside)
    for suffix in ("-wal", "-shm"):
        part = store.with_name(store.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _write_parts(
    db: sqlite3.Connection, store: Path, registry: Path, names: list[str]
) -> tuple[list[Path], list[Path]]:
    """Write what is missing: what is there is newer than the backup, and stays."""
    written: list[Path] = []
    kept: list[Path] = []
    for name in names:
        path = path_of_part(name, store, registry)
        if path.exists():
            kept.append(path)
            continue
        (content,) = db.execute(f"SELECT content FROM {PARTS_TABLE} WHERE name = ?", (name,)).fetchone()  # noqa: S608 - a name of ours
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync(path.parent)
        written.append(path)
    return written, kept
