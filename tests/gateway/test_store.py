"""The store: one file, sound at every start."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest
from derb_gateway import schema
from derb_gateway.errors import StoreLocked
from derb_gateway.running import running_pid
from derb_gateway.store import KnownChange, NewReading, Store
from gateway.kit import NODE, NOW_MS, Disk, arrival, frame


def reading(seq: int, observed_ms: int = NOW_MS, error_ms: int | None = 0) -> NewReading:
    return NewReading(NODE, 1, seq, 1, "{}", observed_ms, error_ms, False, NOW_MS, True)


def test_everything_is_synced(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    assert store.db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_one_gateway_a_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    with pytest.raises(StoreLocked, match="another gateway"):
        Store(tmp_path / "derb.sqlite3")
    store.close()
    Store(tmp_path / "derb.sqlite3").close()


def test_a_newer_store_is_not_damage(tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreLocked, match="newer gateway"):
        Store(path)
    assert not list(tmp_path.glob("*damaged*"))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreLocked, match="cannot be opened"):
        Store(tmp_path / "file" / "derb.sqlite3")
    (tmp_path / "derb.sqlite3").mkdir()
    with pytest.raises(StoreLocked, match="cannot be opened"):
        Store(tmp_path / "derb.sqlite3")


def test_a_full_disk_has_room_for_the_lock_of_the_next_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lock = tmp_path / "derb.sqlite3.lock"
    lock.write_text("4194303\n")
    store = Store(tmp_path / "derb.sqlite3")
    assert lock.read_bytes() == b"\n" * 8, "no block is given back that could be missing in a moment"
    assert running_pid(lock) is None, "who held it before is signalled no more"
    store.note_pid()
    assert running_pid(lock) == os.getpid()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    store.note_pid()
    assert caplog.messages == ["other commands will not find this gateway"]
    store.close()


def test_a_damaged_file_that_cannot_be_replaced_is_told_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad_disk(_path: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "derb.sqlite3"
    path.write_bytes(b"this is not a database" * 100)
    with monkeypatch.context() as patched:
        patched.setattr(schema, "set_aside", bad_disk)
        with pytest.raises(StoreLocked, match=r"damaged and cannot be replaced: .* error"):
            Store(path)
    Store(path).close()  # nobody holds its lock


@pytest.mark.parametrize("damage", [b"this is not a database" * 100, None])
def test_a_damaged_file_is_set_aside_and_intake_goes_on(tmp_path: Path, damage: bytes | None) -> None:
    disk = Disk(tmp_path / "derb.sqlite3")
    for i in range(200):
        disk.take(arrival(frame(i)))
    last_id = disk.store.last_id()
    disk.store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    disk.store.close()
    content = bytearray(disk.path.read_bytes())
    if damage is None:  # a page of zeros in the middle, as a dying card leaves it
        content[8192:12288] = bytes(4096)
        disk.path.write_bytes(content)
    else:
        disk.path.write_bytes(damage)
    disk.open()
    assert disk.store.renewal is not None
    assert disk.store.renewal.aside.exists()
    assert disk.store.last_id() > last_id  # no id comes twice, not even from a new file
    salvaged = disk.sequences()
    assert (len(salvaged) > 150) == (damage is None), "all but a page"
    disk.take(arrival(frame(7)), arrival(frame(200)))
    assert disk.sequences() == ([*salvaged, 200] if 7 in salvaged else [*salvaged, 7, 200])
    disk.store.close()


def test_an_identity_is_stored_once_whatever_the_code_above_does(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    store.insert([reading(1)])
    with pytest.raises(sqlite3.IntegrityError):
        store.insert([reading(1)])
    store.close()


def test_known_intervals_change_in_place(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    store.save_known([KnownChange(NODE, 1, [], [(0, 3), (5, 6), (9, 9)])])
    store.save_known([KnownChange(NODE, 1, [(0, 3), (5, 6), (9, 9)], [(0, 7), (9, 9)])])
    assert store.known(NODE, 1).intervals() == [(0, 7), (9, 9)]
    assert store.known(NODE, 2).intervals() == []
    store.close()


def test_pruning_keeps_what_any_sink_still_needs(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    first = store.last_id()
    store.insert(reading(seq) for seq in range(10))
    store.save_cursor("fast", first + 8, None)
    store.save_cursor("slow", first + 3, "state")
    assert store.prune(0, ["fast", "slow"]) == 3
    assert store.prune(0, ["fast", "slow", "new"]) == 0
    assert store.prune(4, ["fast"]) == 3
    assert store.prune(2, []) == 2  # nobody wants them: only the last are kept
    assert store.cursor("slow") == (first + 3, "state")
    store.close()


def test_a_forwarded_reading_keeps_the_time_it_was_forwarded_with(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    first = store.last_id()
    store.insert([reading(0, error_ms=9), reading(1, error_ms=9)])
    store.save_cursor("city", first + 1, None)
    assert store.time_if_unforwarded(NODE, 1, 0) is None
    assert store.time_if_unforwarded(NODE, 1, 1) == (first + 2, NOW_MS, 9)
    store.close()
