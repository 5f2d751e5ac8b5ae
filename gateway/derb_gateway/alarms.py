"""What an operator must be told even if nobody read the log: kept in the store until it is cleared."""

import sqlite3
from typing import NamedTuple

STORE_DAMAGED, STORE_NOT_SALVAGED = "store_damaged", "store_not_salvaged"
STORE_RESTORED = "store_restored"
READINGS_SHED, STORE_OVER_BUDGET = "readings_shed", "store_over_budget"
DISK_REFUSED = "disk_refused"
CONFIG_NOT_TAKEN = "config_not_taken"
ALARMS = (
    STORE_DAMAGED,
    STORE_NOT_SALVAGED,
    STORE_RESTORED,
    READINGS_SHED,
    STORE_OVER_BUDGET,
    DISK_REFUSED,
    CONFIG_NOT_TAKEN,
)


class Alarm(NamedTuple):
    """When it was raised first and last (Unix ms), how often, and what is known of the last time."""

    name: str
    first_ms: int
    last_ms: int
    times: int
    detail: str


def raise_alarm(db: sqlite3.Connection, name: str, detail: str, now_ms: int) -> None:
    """Note an alarm, or that it came again."""
    db.execute(
        "INSERT INTO alarm VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET"
        " last_ms = excluded.last_ms, count = count + 1, detail = excluded.detail",
        (name, now_ms, now_ms, detail),
    )


def clear(db: sqlite3.Connection, name: str) -> None:
    """Take an alarm back whose cause is gone."""
    db.execute("DELETE FROM alarm WHERE name = ?", (name,))


def standing(db: sqlite3.Connection) -> list[Alarm]:
    """Return all alarms that nobody has cleared."""
    return [Alarm(*row) for row in db.execute("SELECT * FROM alarm ORDER BY name")]
