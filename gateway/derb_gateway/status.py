"""What an operator sees at a glance, read from the store whether the gateway runs or not."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.errors import StoreError
from derb_gateway.reader import read_only
from derb_gateway.sinks.lanes import live_name, read_ahead
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.store_status import alarms_json, order_by_node, store_status
from derb_gateway.waiting_room import waiting_json, waiting_nodes

_GAPS = (
    "SELECT sum(top + 1 - held) FROM"
    " (SELECT max(high) AS top, sum(high - low + 1) AS held FROM known GROUP BY node, boot)"
)

# relay.<name>.<what> is what a relay says of itself; relay.<what> is counted here.
_COUNTERS = "SELECT name, value FROM counter WHERE name NOT GLOB 'relay.*.*' ORDER BY name"
_BEHIND = "SELECT count(*) FROM reading WHERE id > coalesce((SELECT reading FROM cursor WHERE sink = ?), 0)"
_AHEAD = "SELECT count(*) FROM reading WHERE id > ? AND id <= ?"


def status(path: Path, sinks: Sequence[str] | None = None) -> dict[str, Any]:
    """Return counters, these sinks (None: those that ever took something) and nodes as JSON.

    StoreError if there is no store to read.
    """
    if not path.exists():
        msg = f"no store yet at {path}: start the gateway first"
        raise StoreError(msg)
    refused = RefusedBook(refused_path(path)).counts()
    with read_only(path) as db:
        return {
            "alarms": alarms_json(db),
            "store": store_status(db, path),
            "counters": dict(db.execute(_COUNTERS)),
            "readings_kept": _one(db, "SELECT count(*) FROM reading"),
            "readings_missing": _one(db, _GAPS),
            "out_of_order": order_by_node(db),
            "sinks": _sinks(db, sinks, refused),
            "relays": _relays(db),
            "nodes": _nodes(db, "SELECT node, last_ms, frames FROM node ORDER BY node", "frames"),
            "waiting_nodes": {each.node: waiting_json(each) for each in waiting_nodes(db)},
            "quarantine": dict(db.execute("SELECT reason, sum(count) FROM quarantine GROUP BY reason")),
            "received_until": _moment(db),
        }


def _one(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0] or 0)


def _sinks(
    db: sqlite3.Connection, names: Sequence[str] | None, refused: dict[str, int]
) -> dict[str, dict[str, int]]:
    if names is None:
        rows = db.execute("SELECT sink FROM cursor WHERE sink NOT GLOB '*/live' ORDER BY sink")
        names = [name for (name,) in rows]
    return {name: {"lag": _lag(db, name), "refused": refused.get(name, 0)} for name in names}


def _lag(db: sqlite3.Connection, sink: str) -> int:
    """Count what a sink has not had; its live lane may be ahead of its cursor."""
    behind = int(db.execute(_BEHIND, (sink,)).fetchone()[0])
    row = db.execute("SELECT state FROM cursor WHERE sink = ?", (live_name(sink),)).fetchone()
    return behind - sum(int(db.execute(_AHEAD, each).fetchone()[0]) for each in read_ahead(row and row[0]))


def _relays(db: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """When each relay last spoke of itself, and what it counted then."""
    relays: dict[str, dict[str, Any]] = {}
    for name, ms in db.execute(
        "SELECT name, unix_ms FROM moment WHERE name GLOB 'relay.*.heard' ORDER BY name"
    ):
        relays[name.removeprefix("relay.").removesuffix(".heard")] = {"last_heard": iso_utc(ms)}
    for name, number in db.execute(
        "SELECT name, value FROM counter WHERE name GLOB 'relay.*.*' ORDER BY name"
    ):
        relay, _, what = name.removeprefix("relay.").rpartition(".")
        relays.setdefault(relay, {})[what] = number
    return relays


def _nodes(db: sqlite3.Connection, query: str, counted: str) -> dict[str, dict[str, Any]]:
    return {node: {"last_seen": iso_utc(ms), counted: count} for node, ms, count in db.execute(query)}


def _moment(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT unix_ms FROM moment WHERE name = 'received_until'").fetchone()
    return iso_utc(row[0]) if row else None
