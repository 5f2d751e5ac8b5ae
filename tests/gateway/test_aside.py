"""What was damaged is kept to be looked into, but no card is filled with it."""

from pathlib import Path

from derb_gateway.aside import drop_oldest, files_aside, set_aside
from derb_gateway.store import Store


def damaged(path: Path, size: int = 1000) -> Path:
    for suffix in ("", "-wal"):
        path.with_name(path.name + suffix).write_bytes(b"x" * size)
    return set_aside(path)


def test_the_oldest_go_beyond_a_number_with_all_that_belongs_to_them(tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    made = [damaged(path) for _ in range(5)]
    assert drop_oldest(path, files=3) == 2
    assert files_aside(path) == made[2:]
    assert len(list(tmp_path.iterdir())) == 2 * 3


def test_the_oldest_go_beyond_so_many_bytes_but_never_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    made = [damaged(path) for _ in range(3)]
    assert drop_oldest(path, total_bytes=4000) == 1
    assert files_aside(path) == made[1:]
    assert drop_oldest(path, total_bytes=10) == 1
    assert files_aside(path) == made[2:]


def test_other_files_stay(tmp_path: Path) -> None:
    path, other = tmp_path / "derb.sqlite3", tmp_path / "other.sqlite3"
    damaged(path)
    for _ in range(4):
        damaged(other)
    assert drop_oldest(path, files=1) == 0
    assert len(files_aside(other)) == 4


def test_a_store_that_is_damaged_again_and_again_keeps_three_and_counts_the_others(tmp_path: Path) -> None:
    path = tmp_path / "derb.sqlite3"
    for _ in range(5):
        path.write_bytes(b"no database" * 1000)
        store = Store(path)
        counted = store.counters()["damaged_files_deleted"]
        store.close()
    assert len(files_aside(path)) == 3
    assert counted == 1, "each new store counts what it deleted; nothing could be salvaged from noise"
