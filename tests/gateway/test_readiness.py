"""Ready means that a reading that comes now would be taken; if not, it says in words what is in the way."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from derb_gateway.backoff import FullJitter
from derb_gateway.liveness import Liveness
from derb_gateway.readiness import obstacles
from derb_gateway.reconnect import Reconnect, State
from derb_gateway.store import Store
from derb_gateway.writer import Writer


class Rig:
    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "derb.sqlite3")
        self.writer = Writer(self.store, lambda: None)
        self.liveness = Liveness(self.writer, [], 60)
        self.connection = Reconnect("street broker", None, FullJitter(1, 2))  # type: ignore[arg-type]
        self.connection.state = State.UP

    def obstacles(self, store: Path | None = None) -> list[str]:
        return obstacles(self.connection, self.writer, self.liveness, store or self.store.path)


@pytest.fixture
async def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    await rig.liveness.probe()
    yield rig
    rig.writer.close()
    rig.store.close()


def test_nothing_is_in_the_way(rig: Rig) -> None:
    assert rig.obstacles() == []


def test_a_connection_that_is_not_up_says_why(rig: Rig) -> None:
    rig.connection.state, rig.connection.why = State.WAITING, "connection refused"
    assert rig.obstacles() == ["not connected to the street's broker (waiting): connection refused"]


def test_a_disk_that_refuses(rig: Rig) -> None:
    rig.writer.refusing = "database or disk is full"
    assert rig.obstacles() == ["the store took nothing the last time: database or disk is full"]


def test_a_read_only_mount_is_seen_before_anything_is_written(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_flag=1))
    assert rig.obstacles() == [f"{rig.store.path.parent} is mounted read-only"]


def test_a_folder_that_has_gone(rig: Rig, tmp_path: Path) -> None:
    (told,) = rig.obstacles(tmp_path / "gone" / "derb.sqlite3")
    assert "cannot be looked at: No such file" in told


def test_what_does_not_get_on_and_what_has_not_begun(rig: Rig) -> None:
    rig.liveness.stall_after_s = -1
    assert rig.obstacles() == ["writer has been at one step for 0 s"]
    rig.liveness.stall_after_s, rig.liveness.probes = 60, 0
    assert rig.obstacles() == ["the writer has not answered yet"]
