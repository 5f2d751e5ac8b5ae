"""What an operator sees at a glance, read from the store whether the gateway runs or not."""

import sqlite3
from pathlib import Path
from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.reader import read_only

_GAPS = (
    "SELECT sum(top + 1 - held) FROM"
    " (SELECT max(high) AS top, sum(high - low + 1) AS held FROM known GROUP BY node, boot)"
)


def status(path: Path) -> dict[str, Any]:
    """Return counters, sinks and nodes as JSON; StoreError if there is no store to read."""
    with read_only(path) as db:
        return {
            "counters": dict(db.execute("SELECT name, value FROM counter ORDER BY name")),
            "readings_kept": _one(db, "SELECT count(*) FROM reading"),
            "readings_missing": _one(db, _GAPS),
            "sinks": _sinks(db),
            "nodes": _nodes(db, "SELECT node, last_ms, frames FROM node ORDER BY node", "frames"),
            "waiting_nodes": _nodes(db, "SELECT node, last_ms, count FROM waiting ORDER BY node", "frames"),
            "quarantine": dict(db.execute("SELECT reason, sum(count) FROM quarantine GROUP BY reason")),
            "received_until": _moment(db),
        }


def _one(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0] or 0)


def _sinks(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    lag = "SELECT sink, (SELECT count(*) FROM reading WHERE id > cursor.reading) FROM cursor"
    return {sink: {"lag": waiting} for sink, waiting in db.execute(lag)}


def _nodes(db: sqlite3.Connection, query: str, counted: str) -> dict[str, dict[str, Any]]:
    return {node: {"last_seen": iso_utc(ms), counted: count} for node, ms, count in db.execute(query)}


def _moment(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT unix_ms FROM moment WHERE name = 'received_until'").fetchone()
    return iso_utc(row[0]) if row else None
