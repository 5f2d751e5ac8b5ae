"""A copy of everything that a gateway keeps, in one file, taken while it runs.

The file is the store itself with one table more, in which the registry and the small databases beside the store stand whole: what
is wanted of nodes, what sinks refused, what a broker was told. Not in it: gateway.toml, passwords, certificates, releases.
"""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from derb_gateway.errors import BackupError, StoreError
from derb_gateway.reader import read_only
from derb_gateway.schema import fault_of

PARTS_TABLE = "backup_part"
REGISTRY = "registry"
_TABLES = f"""
CREATE TABLE {PARTS_TABLE} (name TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT;
CREATE TABLE backup_made (site TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
"""
DROP_TABLES = f"DROP TABLE {PARTS_TABLE}; DROP TABLE backup_made;"
_PAGES_A_STEP = 4_096
_BESIDE = re.compile(r"(\.[A-Za-z0-9_-]+)+\.sqlite3")

Told = Callable[[int, int], None]
"""Called with pages done and pages in all."""


class Contents(NamedTuple):
    """What a backup holds; `parts` by name: the registry, and the suffixes of databases beside the store."""

    site: str
    at_ms: int
    readings: int
    parts: dict[str, int]


def back_up(store: Path, registry: Path, site: str, to: Path, told: Told = lambda _, __: None) -> Contents:
    """Write a checked copy under a name that it gets only when it is whole and on the disk. BackupError, StoreError."""
    if not store.exists():
        msg = f"no store yet at {store}: start the gateway first"
        raise StoreError(msg)
    _refuse_to_overwrite(to)
    part = to.with_name(to.name + ".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # the registry's keys are in it
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            _copy_store(store, copy, told)
            _add_parts(copy, store, registry, site)
            contents = contents_of(copy, part)
        sync(part)
        part.rename(to)
        sync(to.parent)
    except (OSError, sqlite3.Error) as error:
        msg = f"{to}: the backup cannot be written: {getattr(error, 'strerror', None) or error}"
        raise BackupError(msg) from error
    finally:
        part.unlink(missing_ok=True)
    return contents


def contents_of(db: sqlite3.Connection, path: Path) -> Contents:
    """Return what a backup holds once it is known to be whole. BackupError."""
    try:
        if (fault := fault_of(db)) is not None:
            msg = f"{path}: the backup is damaged: {fault}"
            raise BackupError(msg)
        site, at_ms = db.execute("SELECT site, at_ms FROM backup_made").fetchone()
        parts = dict(db.execute(f"SELECT name, length(content) FROM {PARTS_TABLE} ORDER BY name"))  # noqa: S608 - a name of ours
        (readings,) = db.execute("SELECT count(*) FROM reading").fetchone()
    except (sqlite3.Error, TypeError) as error:
        msg = f"{path}: is no backup of a gateway, or is damaged: {error}"
        raise BackupError(msg) from error
    return Contents(site, at_ms, readings, parts)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk. OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def databases_beside(store: Path) -> Iterator[tuple[str, Path]]:
    """Yield the suffix and the path of each small database beside a store."""
    for path in sorted(store.parent.glob(f"{store.stem}.*.sqlite3")):
        if _BESIDE.fullmatch(name := path.name.removeprefix(store.stem)):
            yield name, path


def path_of_part(name: str, store: Path, registry: Path) -> Path:
    """Return where a part belongs; a name that leads elsewhere is none of ours. BackupError."""
    if name == REGISTRY:
        return registry
    if not _BESIDE.fullmatch(name):
        msg = f"the backup holds {name!r}, which no gateway writes"
        raise BackupError(msg)
    return store.with_name(store.stem + name)


def _refuse_to_overwrite(to: Path) -> None:
    """Let only an older backup be replaced."""
    if not to.exists():
        return
    try:
        with closing(sqlite3.connect(f"{to.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.execute("SELECT site FROM backup_made").fetchone()
    except sqlite3.Error:
        msg = f"{to} is there and is no backup: choose another name"
        raise BackupError(msg) from None


def _copy_store(store: Path, copy: sqlite3.Connection, told: Told) -> None:
    with read_only(store) as source:
        source.execute(
            "BEGIN"
        )  # one state of the store from the first page to the last, whatever is written meanwhile
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(copy, pages=_PAGES_A_STEP, progress=lambda _, left, total: told(total - left, total))
    copy.execute("PRAGMA journal_mode = DELETE")  # one file


def _add_parts(copy: sqlite3.Connection, store: Path, registry: Path, site: str) -> None:
    copy.executescript(_TABLES)
    copy.execute("BEGIN")
    copy.execute("INSERT INTO backup_made VALUES (?, ?)", (site, time.time_ns() // 1_000_000))
    parts = [(suffix, _snapshot(path)) for suffix, path in databases_beside(store)]
    if registry.exists():
        parts.append((REGISTRY, registry.read_bytes()))
    copy.executemany(f"INSERT INTO {PARTS_TABLE} VALUES (?, ?)", parts)  # noqa: S608 - a name of ours
    copy.execute("COMMIT")


def _snapshot(path: Path) -> bytes:
    """Return a database as one file's content, whoever is writing to it."""
    with read_only(path) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        return copy.serialize()
