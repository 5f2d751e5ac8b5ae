"""The status is read beside a running gateway and after it."""

from pathlib import Path

import pytest
from derb_gateway.errors import StoreError
from derb_gateway.status import status
from gateway.kit import NODE, STRANGER, Disk, arrival, frame


def test_counters_sinks_nodes_and_gaps(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0, 1)), arrival(frame(5)), arrival(b"x"), arrival(frame(0), node=STRANGER))
    disk.store.save_cursor("city", disk.store.last_id() - 1, None)
    seen = status(disk.path)
    disk.store.close()
    assert seen["store"].pop("file_bytes") > status(disk.path)["store"]["file_bytes"], (
        "its log is a part of it"
    )
    again = status(disk.path)
    del again["store"]["file_bytes"]
    assert seen == again
    assert seen["alarms"] == []
    assert seen["out_of_order"] == {NODE: {"missing": 3, "late": 0}}
    assert seen["counters"] == {
        "frames": 4,
        "readings_left_out": 3,
        "readings_stored": 3,
        "receipts": 1,
        "refused.too_short": 1,
        "refused.unknown_node": 1,
    }
    assert (seen["readings_kept"], seen["readings_missing"]) == (3, 3)
    assert seen["sinks"] == {"city": {"lag": 1, "refused": 0}}
    assert seen["nodes"] == {NODE: {"last_seen": "2026-11-18T11:06:40.000Z", "frames": 2}}
    assert list(seen["waiting_nodes"]) == [STRANGER]
    assert seen["quarantine"] == {"too_short": 1}
    assert seen["received_until"] is None


def test_what_comes_late_fills_its_gap_and_is_counted(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0, 1)), arrival(frame(5)), arrival(frame(9)))
    disk.take(arrival(frame(2, 3)), arrival(frame(3, 4), at_ms=1))
    disk.take(arrival(frame(7, boot=2)))
    disk.reopen()
    disk.take(arrival(frame(6)))
    seen = status(disk.path)
    disk.store.close()
    assert seen["out_of_order"] == {NODE: {"missing": 2 + 7, "late": 4}}
    assert seen["readings_missing"] == 2 + 7
    assert seen["counters"]["readings_late"] == 4
    assert seen["counters"]["readings_left_out"] == 3 + 3 + 7


def test_a_sink_that_never_took_anything_is_behind_by_all(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0, 1)), arrival(frame(5)))
    disk.store.save_cursor("city", disk.store.last_id(), None)
    disk.store.save_cursor("given up", 0, None)
    disk.store.close()
    assert status(disk.path, ["new", "city"])["sinks"] == {
        "new": {"lag": 3, "refused": 0},
        "city": {"lag": 0, "refused": 0},
    }
    assert status(disk.path, [])["sinks"] == {}


def test_before_the_first_run_there_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    with pytest.raises(StoreError, match=f"no store yet at {path}: start the gateway first"):
        status(path)


def test_no_store_to_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        status(tmp_path / "text")
