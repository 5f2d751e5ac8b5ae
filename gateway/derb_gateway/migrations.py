"""The store's versions: the tables of the first one, and what each later one changed.

A new file is made by the same steps as an old one is brought up, so there is one shape for each version.
"""

import sqlite3

_VERSION_1 = """
CREATE TABLE reading (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    body TEXT NOT NULL,
    observed_ms INTEGER NOT NULL,
    error_ms INTEGER,
    lower_bound INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    synchronised INTEGER NOT NULL,
    UNIQUE (node, boot, seq)
) STRICT;
CREATE TABLE known (
    node TEXT NOT NULL, boot INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
    PRIMARY KEY (node, boot, low)
) STRICT, WITHOUT ROWID;
CREATE TABLE node (
    node TEXT PRIMARY KEY,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, frames INTEGER NOT NULL, tags BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE waiting (
    node TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_age ON waiting (last_ms);
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    topic TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    raw BLOB NOT NULL, length INTEGER NOT NULL,
    first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL
) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cursor (
    sink TEXT PRIMARY KEY, reading INTEGER NOT NULL, state TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE moment (name TEXT PRIMARY KEY, unix_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

# Late arrivals of each node; what an operator must be told.
_VERSION_2 = """
ALTER TABLE node ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
CREATE TABLE alarm (
    name TEXT PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, count INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

# Refused messages that an operator wants taken again, by their id in the quarantine.
_VERSION_3 = """
CREATE TABLE replay (id INTEGER PRIMARY KEY) STRICT;
"""

# What unknown nodes sent, and by which relay: it is taken once an operator brings a key.
_VERSION_4 = """
DROP INDEX waiting_age;
ALTER TABLE waiting ADD COLUMN relay TEXT;
ALTER TABLE waiting ADD COLUMN rssi_dbm INTEGER;
CREATE TABLE waiting_frame (
    id INTEGER PRIMARY KEY, node TEXT NOT NULL, raw BLOB NOT NULL,
    received_ms INTEGER NOT NULL, error_ms INTEGER, synchronised INTEGER NOT NULL
) STRICT;
CREATE INDEX waiting_frame_node ON waiting_frame (node, id);
"""

# What was last reported of a place that was closed or opened: `number` is the report's, `state` what it said.
_VERSION_5 = """
CREATE TABLE place_report (
    place TEXT PRIMARY KEY, state TEXT NOT NULL, at_ms INTEGER NOT NULL, number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

STEPS = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)
SCHEMA_VERSION = len(STEPS)


def bring_up(db: sqlite3.Connection, to_version: int = SCHEMA_VERSION) -> int:
    """Bring a file up to a version, each step whole or not at all; return the version it had (0: it was empty)."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    for version in range(found, to_version):
        db.executescript(f"BEGIN IMMEDIATE; {STEPS[version]} PRAGMA user_version = {version + 1}; COMMIT;")
    return int(found)
