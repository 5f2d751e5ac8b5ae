"""One gateway at a time in a folder, for as long as it writes and no longer."""

import errno
import fcntl
from pathlib import Path

import pytest
from derb_gateway.errors import SinkRetry
from derb_gateway.sinks.alone import alone_in


def test_a_second_one_is_told_what_to_do_and_gets_in_afterwards(tmp_path: Path) -> None:
    with (
        alone_in(tmp_path),
        pytest.raises(SinkRetry, match=r"another gateway writes into .* folder of its own"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path):
        pass


def test_a_share_without_locks_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with alone_in(tmp_path):
        (tmp_path / "file").touch()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), alone_in(tmp_path / "none"):
        pass
