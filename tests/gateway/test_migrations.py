"""Every older version of the store is brought up with all that is in it."""

import sqlite3
from pathlib import Path

import pytest
from derb_gateway.migrations import SCHEMA_VERSION, STEPS, bring_up
from derb_gateway.store import Store
from gateway.kit import NODE, NOW_MS, Disk, arrival, frame

_FIRST = (
    f"INSERT INTO reading VALUES (7, '{NODE}', 1, 5, 1, '{{}}', 1, 0, 0, 2, 1);"
    f"INSERT INTO known VALUES ('{NODE}', 1, 5, 5);"
    f"INSERT INTO node VALUES ('{NODE}', 1, 2, 3, x'0102030405060708');"
    "INSERT INTO waiting (node, first_ms, last_ms, count) VALUES ('0000000000ff', 1, 2, 3);"
    "INSERT INTO quarantine VALUES (1, x'01', 'd/x/u', 'bad_tag', 'why', x'02', 1, 4, 5, 6);"
    "INSERT INTO counter VALUES ('frames', 3);"
    "INSERT INTO cursor VALUES ('city', 6, 'state');"
    "INSERT INTO moment VALUES ('received_until', 9);"
)
ROWS = {
    1: _FIRST,
    **dict.fromkeys((2, 3, 4), _FIRST.replace("x'0102030405060708')", "x'0102030405060708', 0)")),
}
MADE = {1: "alarm", 2: "replay", 3: "waiting_frame", 4: "place_report"}  # by the step to the next version


def shape(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    tables = [
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    return [(table, *row) for table in tables for row in db.execute(f"PRAGMA table_info({table})")]


def test_each_older_version_is_tried_here() -> None:
    assert list(ROWS) == list(range(1, SCHEMA_VERSION))
    assert len(STEPS) == SCHEMA_VERSION


@pytest.mark.parametrize("version", ROWS)
def test_an_older_store_keeps_what_it_has(tmp_path: Path, version: int) -> None:
    path = tmp_path / "derb.sqlite3"
    db = sqlite3.connect(path, isolation_level=None)
    bring_up(db, version)
    db.executescript(ROWS[version])
    db.close()

    store = Store(path)
    assert store.db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert store.values(NODE, 1, 0, 9) == {5: (1, "{}")}
    assert store.known(NODE, 1).intervals() == [(5, 5)]
    assert store.node(NODE) == (1, 2, 3, bytes(range(1, 9)), 0)
    assert store.cursor("city") == (6, "state")
    assert (store.counters()["frames"], store.moment("received_until")) == (3, 9)
    assert store.db.execute("SELECT raw, count FROM quarantine").fetchall() == [(b"\2", 6)]
    assert store.db.execute("SELECT count FROM waiting").fetchall() == [(3,)]
    fresh = Store(tmp_path / "fresh.sqlite3")
    assert shape(store.db) == shape(fresh.db)
    fresh.close()
    store.close()

    disk = Disk(path)
    disk.take(arrival(frame(5, 6)))
    assert disk.sequences() == [5, 6]
    assert disk.store.last_id() == 8
    disk.store.close()


@pytest.mark.parametrize("version", ROWS)
def test_a_step_that_fails_leaves_the_older_version(tmp_path: Path, version: int) -> None:
    db = sqlite3.connect(tmp_path / "derb.sqlite3", isolation_level=None)
    bring_up(db, version)
    db.execute(f"CREATE TABLE {MADE[version]} (name TEXT)")
    before = shape(db)
    with pytest.raises(sqlite3.OperationalError):
        bring_up(db)
    db.execute("ROLLBACK")
    assert db.execute("PRAGMA user_version").fetchone() == (version,)
    assert shape(db) == before
    db.close()


def test_an_older_store_that_is_damaged_is_salvaged_too(tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    db = sqlite3.connect(path, isolation_level=None)
    bring_up(db, 1)
    db.executescript(ROWS[1].replace("'{}', 1", '\'{"state":"free"}\', 1'))
    db.close()
    content = bytearray(path.read_bytes())
    content[:100] = bytes(100)
    path.write_bytes(content)
    store = Store(path)
    assert store.renewal is not None
    assert store.known(NODE, 1).intervals() == [(5, 5)]
    assert store.node(NODE) == (1, 2, 3, bytes(range(1, 9)), 0)
    assert store.last_id() > NOW_MS
    assert store.db.execute("SELECT id, seq FROM reading").fetchall() == [(7, 5)]
    assert store.db.execute("SELECT raw, count FROM quarantine").fetchall() == [(b"\2", 6)]
    store.close()
