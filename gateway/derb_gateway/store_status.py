"""What the store says of itself: room, wear, alarms, and what is missing of each node. Reads only."""

import sqlite3
from pathlib import Path
from typing import Any

from derb_gateway.alarms import standing
from derb_gateway.clock import iso_utc
from derb_gateway.shedding import used_bytes
from derb_gateway.wear import WRITTEN

_HOLES = """
SELECT node, boot, low, coalesce(lag(high) OVER (PARTITION BY node, boot ORDER BY low), -1) + 1 AS first FROM known
"""
_MISSING = f"SELECT node, sum(low - first) FROM ({_HOLES}) WHERE low > first GROUP BY node"  # noqa: S608 - a query of ours
_LATE = "SELECT node, late FROM node WHERE late > 0"


def store_status(db: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """Return how much room the file takes and how much was written to the disk for each reading."""
    counted = dict(
        db.execute("SELECT name, value FROM counter WHERE name IN (?, 'readings_stored')", (WRITTEN,))
    )
    written, readings = counted.get(WRITTEN, 0), counted.get("readings_stored", 0)
    return {
        "used_bytes": used_bytes(db),
        "file_bytes": sum(_size(path.with_name(path.name + suffix)) for suffix in ("", "-wal")),
        "disk_written_bytes": written,
        "disk_written_bytes_a_reading": round(written / readings) if readings else None,
    }


def alarms_json(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the alarms that nobody has cleared."""
    return [
        {
            "alarm": alarm.name,
            "first": iso_utc(alarm.first_ms),
            "last": iso_utc(alarm.last_ms),
            "times": alarm.times,
            "detail": alarm.detail,
        }
        for alarm in standing(db)
    ]


def order_by_node(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Return, of the nodes that have any, how many readings are missing and how many came after newer ones."""
    missing, late = dict(db.execute(_MISSING)), dict(db.execute(_LATE))
    nodes = sorted({*missing, *late})
    return {node: {"missing": missing.get(node, 0), "late": late.get(node, 0)} for node in nodes}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
