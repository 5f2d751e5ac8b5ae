"""Damage of every kind, at seeded places: the store opens, and brings over whatever did not stand on a damaged page."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from derb_gateway import schema
from derb_gateway.alarms import standing
from derb_gateway.errors import StoreLocked
from derb_gateway.quarantine import Quarantine, Refusal
from derb_gateway.readings import PLACE
from derb_gateway.store import KnownChange, NewReading, Store
from gateway.kit import NODE, NOW_MS, OTHER

SEEDS = range(30)
PAGE = 4096
ROWS_A_PAGE = 52
READINGS = 3_000
BODIES = ('{"state":"free","confidence":95,"previous_state_s":60}', '{"status":"ok","distance_mm":812}')


class Original(NamedTuple):
    path: Path
    readings: dict[int, tuple[object, ...]]
    cursor: int


def fill(store: Store, first: int, count: int) -> None:
    db = store.db
    db.execute("BEGIN")
    for node, kind, body in ((NODE, 1, BODIES[0]), (OTHER, 2, BODIES[1])):
        rows = [
            NewReading(node, 1 + seq // 1000, seq % 1000, kind, body, NOW_MS + seq, 0, False, NOW_MS, True)
            for seq in range(first, first + count)
        ]
        store.insert(rows)
        for row in rows:
            held = store.known(node, row.boot)
            before = held.intervals()
            held.add(row.seq, row.seq)
            store.save_known([KnownChange(node, row.boot, before, held.intervals())])
        store.save_nodes([(node, 1, NOW_MS, first + count, bytes(256), 3)])
    store.count({"frames": count})
    db.execute("COMMIT")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A store with most of it in the file and the newest in the log, as a power cut leaves it."""
    folder = tmp_path_factory.mktemp("original")
    store = Store(folder / "live.sqlite3")
    first_id = store.last_id()
    fill(store, 0, READINGS // 2 - 50)
    Quarantine(store.db, 100, 10_000).add(Refusal("d/x/u", "bad_tag", "why", b"raw", 3, NOW_MS))
    store.save_moment("received_until", NOW_MS)
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    fill(store, READINGS // 2 - 50, 50)
    store.save_cursor("city", first_id + 1000, '{"place":1}')
    readings = {row[0]: row for row in store.db.execute("SELECT * FROM reading")}
    path = folder / "derb.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(f"{store.path}{suffix}", f"{path}{suffix}")
    store.close()
    return Original(path, readings, first_id + 1000)


def bits(content: bytearray, chance: random.Random) -> int:
    """Flip a few bits; at most so many pages are hit."""
    flips = chance.randint(1, 8)
    for _ in range(flips):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return flips


def cut(content: bytearray, chance: random.Random) -> int:
    length = chance.randrange(len(content))
    lost = -(-(len(content) - length) // PAGE)
    del content[length:]
    return lost


def head(content: bytearray, chance: random.Random) -> int:
    """Lose the first pages: the schema and the roots of all tables."""
    pages = chance.randint(1, 12)
    content[: pages * PAGE] = chance.randbytes(pages * PAGE)
    return pages


def zeros(content: bytearray, chance: random.Random) -> int:
    page = chance.randrange(len(content) // PAGE)
    content[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
    return 1


def noise(content: bytearray, chance: random.Random) -> int:
    start = chance.randrange(len(content))
    hit = chance.randint(1, 5 * PAGE)
    content[start : start + hit] = chance.randbytes(min(hit, len(content) - start))
    return -(-hit // PAGE) + 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("damage", [bits, cut, head, zeros, noise])
def test_whatever_is_not_on_a_damaged_page_comes_over(
    original: Original, tmp_path: Path, damage: Callable[[bytearray, random.Random], int], seed: int
) -> None:
    path = tmp_path / "derb.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(f"{original.path}{suffix}", f"{path}{suffix}")
    content = bytearray(path.read_bytes())
    pages = damage(content, random.Random(f"{damage.__name__} {seed}"))
    path.write_bytes(content)
    store = Store(path)
    there = {row[0]: row for row in store.db.execute("SELECT * FROM reading")}
    strange = [id_ for id_, row in there.items() if original.readings.get(id_) != row]
    assert len(strange) <= pages, (
        "a page has no checksum: a flipped bit may make another good value, but only there"
    )
    assert len(there) >= len(original.readings) - pages * ROWS_A_PAGE
    assert store.last_id() >= max(there, default=0)
    assert store.cursor("city")[0] in (original.cursor, 0), "too far a cursor would leave readings out"
    if store.renewal is not None:
        assert store.renewal.salvaged == len(there)
        assert "store_damaged" in [alarm.name for alarm in standing(store.db)]
        assert all(seq in store.known(node, boot) for _, node, boot, seq, *_ in there.values())
        assert store.db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert all(store.known(node, 2).top() < 500 for node in (NODE, OTHER)), (
            "a wrong bit would cost readings"
        )
    store.insert([NewReading(NODE, 9, 1, 1, BODIES[0], NOW_MS, 0, False, NOW_MS, True)])
    store.close()
    Store(path).close()


def test_all_that_is_kept_comes_over(original: Original, tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(f"{original.path}{suffix}", f"{path}{suffix}")
    with path.open("r+b") as file:
        file.write(b"no database")
    store = Store(path)
    assert {row[0]: row for row in store.db.execute("SELECT * FROM reading")} == original.readings
    assert store.known(NODE, 1).intervals() == [(0, 999)]
    assert store.known(OTHER, 2).intervals() == [(0, 499)]
    assert store.cursor("city") == (original.cursor, '{"place":1}')
    assert store.moment("received_until") == NOW_MS
    assert store.node(NODE) == (1, NOW_MS, READINGS // 2, bytes(256), 3)
    assert store.counters()["frames"] == READINGS // 2 - 50 + 50
    assert store.db.execute("SELECT topic, raw FROM quarantine").fetchall() == [("d/x/u", b"raw")]
    store.close()


def test_what_was_said_of_a_place_comes_over(tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    store = Store(path)
    body = '{"bay":"b1","zone":"maarif","state":"closed","why":null}'
    place = NewReading("bay:b1", 1, NOW_MS // 1000, PLACE, body, NOW_MS, 0, False, NOW_MS, True)
    store.insert([place])
    told = ("bay:b1", "closed", NOW_MS, NOW_MS // 1000)
    store.db.execute("INSERT INTO place_report VALUES (?, ?, ?, ?)", told)
    store.save_moment("places_until", NOW_MS)
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    with path.open("r+b") as file:
        file.write(b"no database")
    again = Store(path)
    assert again.values("bay:b1", 1, 0, NOW_MS) == {NOW_MS // 1000: (PLACE, body)}
    assert again.db.execute("SELECT * FROM place_report").fetchall() == [told]
    assert again.moment("places_until") == NOW_MS
    assert again.known("bay:b1", 1).intervals() == []
    again.close()


def test_a_salvage_that_was_cut_off_is_done_again(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "derb.sqlite3"
    path.write_bytes(b"no database" + original.path.read_bytes()[11:])

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(schema, "salvage", power_cut)
        with pytest.raises(KeyboardInterrupt):
            schema.open_store(path)
    assert not path.exists()
    store = Store(path)
    assert store.renewal is not None
    assert store.renewal.salvaged
    assert store.db.execute("SELECT count(*) FROM reading").fetchone()[0] == store.renewal.salvaged
    store.close()
    Store(path).close()


def test_no_room_to_salvage_is_an_alarm_and_intake_goes_on(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "derb.sqlite3"
    path.write_bytes(original.path.read_bytes()[: 10 * PAGE])

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(schema, "salvage", full)
    store = Store(path)
    assert store.renewal is not None
    assert store.renewal.aside.exists()
    assert [alarm.name for alarm in standing(store.db)] == ["store_not_salvaged"]
    assert [each.name for each in tmp_path.glob("*.salvage")] == []
    store.close()


@pytest.mark.parametrize(
    ("version", "opens"), [(0, True), (1, True), (-1, True), (1 << 20, True), (99, False)]
)
def test_a_version_that_cannot_be_is_damage_and_a_newer_one_is_not(
    original: Original, tmp_path: Path, version: int, opens: bool
) -> None:
    path = tmp_path / "derb.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(f"{original.path}{suffix}", f"{path}{suffix}")
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    if opens:
        store = Store(path)
        assert store.db.execute("SELECT count(*) FROM reading").fetchone()[0] == READINGS
        store.close()
    else:
        with pytest.raises(StoreLocked, match="newer gateway"):
            Store(path)
