"""A file is there whole or not at all, whatever stops its writer."""

import errno
import os
from pathlib import Path

import pytest
from derb_tools.whole_file import whole_file, write_whole, write_whole_secret


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}"
    with pytest.raises(FileNotFoundError) as failed:
        write_whole(tmp_path / "no" / "a.json", "{}")
    assert failed.value.filename == str(tmp_path / "no" / "a.json")
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_who_is_stopped_half_way_leaves_what_was_there(tmp_path: Path, stop: BaseException) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def write() -> None:
        with whole_file(path) as file:
            file.write("new")
            raise stop

    with pytest.raises(type(stop)) as stopped:
        write()
    assert getattr(stopped.value, "filename", str(path)) == str(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.csv"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "a.csv").symlink_to(tmp_path / "there" / "b.csv")
    write_whole(tmp_path / "a.csv", "x")
    assert (tmp_path / "a.csv").is_symlink()
    assert (tmp_path / "there" / "b.csv").read_text() == "x"


def test_what_is_no_ordinary_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link", tmp_path):
        with pytest.raises(FileExistsError, match="no ordinary file"):
            write_whole(path, "x")
    assert (tmp_path / "pipe").is_fifo()


def test_a_secret_is_its_owners_whoever_might_read_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_text("old")
    path.chmod(0o644)
    write_whole_secret(path, b"\0\xff")
    assert path.read_bytes() == b"\0\xff"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["a.bin"]
