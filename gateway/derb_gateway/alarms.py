"""What an operator must be told even if nobody read the log: kept in the store until it is cleared."""

import sqlite3
from typing import NamedTuple

STORE_DAMAGED, STORE_NOT_SALVAGED = "store_damaged", "store_not_salvaged"
STORE_RESTORED = "store_restored"
READINGS_SHED, STORE_OVER_BUDGET = "readings_shed", "store_over_budget"
DISK_REFUSED = "disk_refused"
CONFIG_NOT_TAKEN, REGISTRY_NOT_TAKEN = "config_not_taken", "registry_not_taken"
CAMPAIGN_STOPPED = "campaign_stopped"
ALARMS = (
    STORE_DAMAGED,
    STORE_NOT_SALVAGED,
    STORE_RESTORED,
    READINGS_SHED,
    STORE_OVER_BUDGET,
    DISK_REFUSED,
    CONFIG_NOT_TAKEN,
    REGISTRY_NOT_TAKEN,
    CAMPAIGN_STOPPED,
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


def raise_once(db: sqlite3.Connection, name: str, detail: str, now_ms: int) -> None:
    """Note an alarm unless it stands already with these words, as after a restart."""
    if (detail,) not in db.execute("SELECT detail FROM alarm WHERE name = ?", (name,)).fetchall():
        raise_alarm(db, name, detail, now_ms)


def clear(db: sqlite3.Connection, *names: str) -> None:
    """Take alarms back whose cause is gone."""
    db.executemany("DELETE FROM alarm WHERE name = ?", [(name,) for name in names])


def standing(db: sqlite3.Connection) -> list[Alarm]:
    """Return all alarms that nobody has cleared."""
    return [Alarm(*row) for row in db.execute("SELECT * FROM alarm ORDER BY name")]
