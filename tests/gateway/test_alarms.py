"""Alarms stand until somebody clears them, also beside a running gateway."""

from pathlib import Path

import pytest
from derb_gateway.alarms import raise_alarm, standing
from derb_gateway.beside import clear_alarms
from derb_gateway.errors import StoreError
from derb_gateway.store import Store


def test_an_alarm_that_comes_again_keeps_its_beginning(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    for at_ms, detail in ((5, "first"), (9, "again")):
        raise_alarm(store.db, "disk_refused", detail, at_ms)
    assert standing(store.db) == [("disk_refused", 5, 9, 2, "again")]
    store.close()
    store = Store(tmp_path / "derb.sqlite3")
    assert [alarm.times for alarm in standing(store.db)] == [2]
    store.close()


def test_alarms_are_cleared_by_name_or_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    for name in ("a", "b", "c"):
        raise_alarm(store.db, name, "", 1)
    assert clear_alarms(store.path, ["b", "unknown"]) == 1
    assert [alarm.name for alarm in standing(store.db)] == ["a", "c"]
    assert clear_alarms(store.path) == 2
    assert standing(store.db) == []
    store.close()


@pytest.mark.parametrize("content", [None, b"no database" * 100])
def test_no_store_to_clear(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "derb.sqlite3"
    if content:
        path.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be cleared"):
        clear_alarms(path)
