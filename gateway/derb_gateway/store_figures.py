"""What the metrics need of the store: one look at a time, each query short however full the store is. Reads only."""

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from derb_gateway.alarms import standing
from derb_gateway.reader import read_only
from derb_gateway.shedding import used_bytes
from derb_gateway.sinks.lanes import Lanes, live_name, read_ahead
from derb_gateway.sinks.refused import RefusedBook, refused_path

_DAY_MS = 86_400_000
_OLDEST = "SELECT id, received_ms FROM reading WHERE id > ? ORDER BY id LIMIT 1"
_CURSOR = "SELECT reading, state FROM cursor WHERE sink = ?"
_HEARD = "SELECT count(*), coalesce(sum(last_ms >= ?), 0), coalesce(max(last_ms), 0) FROM node"


class SinkFigures(NamedTuple):
    """What a sink has not had. `behind` counts ids, so what was shed in between still counts as a reading until it is passed."""

    behind: int
    oldest_received_ms: int | None
    put_aside: int


class StoreFigures(NamedTuple):
    """The store at one moment; `last_heard_ms` 0: no node ever."""

    counters: dict[str, int]
    sinks: dict[str, SinkFigures]
    alarms: frozenset[str]
    quarantine: dict[str, int]
    nodes_heard: int
    nodes_heard_lately: int
    nodes_waiting: int
    last_heard_ms: int
    used_bytes: int
    file_bytes: int
    free_bytes: int


def store_figures(path: Path, sinks: Sequence[str], now_ms: int) -> StoreFigures:
    """Return what the store says of these sinks and of itself; StoreError."""
    refused = RefusedBook(refused_path(path)).counts()
    with read_only(path) as db:
        heard, lately, last_ms = db.execute(_HEARD, (now_ms - _DAY_MS,)).fetchone()
        (waiting,) = db.execute("SELECT count(*) FROM waiting").fetchone()
        return StoreFigures(
            counters=dict(db.execute("SELECT name, value FROM counter")),
            sinks={name: _sink(db, name, refused.get(name, 0)) for name in sinks},
            alarms=frozenset(alarm.name for alarm in standing(db)),
            quarantine=dict(db.execute("SELECT reason, count(*) FROM quarantine GROUP BY reason")),
            nodes_heard=heard,
            nodes_heard_lately=lately,
            nodes_waiting=waiting,
            last_heard_ms=last_ms,
            used_bytes=used_bytes(db),
            file_bytes=_file_bytes(path),
            free_bytes=shutil.disk_usage(path.parent).free,
        )


def _sink(db: sqlite3.Connection, name: str, put_aside: int) -> SinkFigures:
    done, _ = db.execute(_CURSOR, (name,)).fetchone() or (0, None)
    _, ahead = db.execute(_CURSOR, (live_name(name),)).fetchone() or (0, None)
    lanes = Lanes(done, read_ahead(ahead))
    (top,) = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'reading'").fetchone()
    oldest = db.execute(_OLDEST, (lanes.done,)).fetchone()
    if oldest is None:
        return SinkFigures(0, None, put_aside)
    behind = top - (oldest[0] - 1) - sum(each.upto - each.after for each in lanes.ahead)
    return SinkFigures(max(0, behind), oldest[1], put_aside)


def _file_bytes(path: Path) -> int:
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
