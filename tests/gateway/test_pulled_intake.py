"""What was pulled out of dead nodes: taken once, from whole files only, at the time at which it was pulled."""

import asyncio
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.cli import app
from derb_gateway.errors import ConfigError
from derb_gateway.intake import Intake
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.progress import Progress
from derb_gateway.pulled_file import (
    REFUSED_BYTES,
    REFUSED_FILES,
    drop,
    drop_box,
    judge,
    read_pulled,
    set_aside,
)
from derb_gateway.pulled_intake import PulledIntake, arrivals_of
from derb_gateway.side_door import SideDoor
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from gateway.kit import (
    KEY,
    NODE,
    NOW_MS,
    OTHER_KEY,
    STRANGER,
    StillClock,
    eventually,
    frame,
    registry,
    running,
)
from typer.testing import CliRunner

HOUR_MS = 3_600_000


def pulled(*frames: bytes, at_ms: int = NOW_MS - HOUR_MS, **changed: Any) -> dict[str, Any]:
    return {
        "format": "derb pull 1",
        "node": NODE,
        "synchronised": True,
        "frames": [{"at_ms": at_ms, "hex": each.hex()} for each in frames],
        "readings": len(frames),
        **changed,
    }


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


class Gate:
    """A gateway's store with its drop box watched."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "derb.sqlite3"
        self.clock = StillClock()
        self.store = Store(self.path)
        intake = Intake(registry())
        self.writer = Writer(self.store, intake.forget)
        self.orders = OrderBook(orders_path(self.path))
        self.progress = Progress(0)
        door = SideDoor(self.writer, intake, self.progress, self.orders)
        self.intake = PulledIntake(self.path, self.clock, door)

    async def rows(self) -> list[tuple[int, int, int | None]]:
        query = "SELECT seq, observed_ms, error_ms FROM reading ORDER BY id"
        return await self.writer.do(lambda store: store.db.execute(query).fetchall())

    def close(self) -> None:
        self.writer.close()
        self.orders.close()
        self.store.close()


@pytest.fixture
def gate(tmp_path: Path) -> Any:
    made = Gate(tmp_path)
    yield made
    made.close()


def is_empty(gate: Gate) -> Callable[[], bool]:
    return lambda: not list(drop_box(gate.path).glob("*.pull"))


async def test_a_file_is_taken_once_and_its_readings_have_the_time_of_the_pull(
    gate: Gate, tmp_path: Path
) -> None:
    source = written(tmp_path / "node.json", pulled(frame(3, 4, age_s=60), frame(5)))
    async with running(gate.intake.run()):
        for _ in range(2):
            drop(source, gate.path)
            await eventually(is_empty(gate))
        rows = await gate.rows()
    assert [row[0] for row in rows] == [3, 4, 5]
    pulled_ms = NOW_MS - HOUR_MS
    assert rows[1] == (4, pulled_ms - 60_000, 0)
    assert gate.progress.last_id > 0


async def test_a_file_from_before_leaves_the_node_as_lately_heard_as_it_was(
    gate: Gate, tmp_path: Path
) -> None:
    await gate.writer.do(lambda store: store.save_nodes([(NODE, 1, NOW_MS, 5, b"", 0)]))
    drop(written(tmp_path / "node.json", pulled(frame(3))), gate.path)
    async with running(gate.intake.run()):
        await eventually(is_empty(gate))
        row = await gate.writer.do(lambda store: store.node(NODE))
    assert row is not None
    assert row[1:3] == (NOW_MS, 6)


async def test_what_the_node_sent_already_is_not_doubled(gate: Gate, tmp_path: Path) -> None:
    drop(written(tmp_path / "a.json", pulled(frame(1, 2))), gate.path)
    drop(written(tmp_path / "b.json", pulled(frame(1, 2, 3, age_s=9))), gate.path)
    async with running(gate.intake.run()):
        await eventually(is_empty(gate))
        assert sorted(row[0] for row in await gate.rows()) == [1, 2, 3]


async def test_a_file_that_is_none_is_set_aside_and_stops_nothing(gate: Gate, tmp_path: Path) -> None:
    drop(written(tmp_path / "bad.json", {"format": "something else"}), gate.path)
    drop(written(tmp_path / "good.json", pulled(frame(7))), gate.path)
    async with running(gate.intake.run()):
        await eventually(is_empty(gate))
        assert [row[0] for row in await gate.rows()] == [7]
    assert len(list(drop_box(gate.path).glob("*.refused"))) == 1


@pytest.mark.parametrize(
    ("each_bytes", "kept"), [(10, REFUSED_FILES), (REFUSED_BYTES // 2, 2), (REFUSED_BYTES + 1, 1)]
)
def test_of_what_was_set_aside_the_newest_stay_and_no_more_than_so_many(
    each_bytes: int, kept: int, tmp_path: Path
) -> None:
    for number in range(REFUSED_FILES + 3):
        path = tmp_path / f"{number:03d}.pull"
        with path.open("wb") as file:
            file.truncate(each_bytes)
        set_aside(path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"{number:03d}.refused" for number in range(REFUSED_FILES + 3 - kept, REFUSED_FILES + 3)]


@pytest.mark.parametrize(
    "changed", [{"synchronised": False}, {"frames": [{"at_ms": NOW_MS + HOUR_MS, "hex": "00" * 20}]}]
)
def test_a_clock_that_nobody_vouches_for_makes_no_exact_time(changed: dict[str, Any], tmp_path: Path) -> None:
    source = written(tmp_path / "node.json", pulled(frame(1), **changed))
    (arrival,) = arrivals_of(read_pulled(source), StillClock())
    assert arrival.error_ms is None
    assert arrival.received_ms <= NOW_MS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{" * 5000,
        b"\xff\xfe",
        json.dumps(pulled(frame(1), node="x")).encode(),
        json.dumps(pulled(frame(1), format="derb pull 2")).encode(),
        json.dumps(pulled(frame(1), synchronised="yes")).encode(),
        json.dumps(pulled(b"")).encode(),
        json.dumps(pulled(bytes(300))).encode(),
        json.dumps(pulled(frame(1), at_ms=7)).encode(),
        json.dumps(pulled(frame(1))).encode()[:-20],
    ],
)
def test_a_damaged_file_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "node.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"node\.json"):
        read_pulled(path)


def test_a_missing_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_pulled(tmp_path / "none.json")
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(5_000_000)
    with pytest.raises(ConfigError, match="too long"):
        read_pulled(huge)


def test_frames_of_another_key_are_named(tmp_path: Path) -> None:
    source = written(tmp_path / "node.json", pulled(frame(1), frame(2, key=OTHER_KEY)))
    judged = judge(read_pulled(source), registry())
    assert judged.readings == 1
    assert [each.partition(":")[0] for each in judged.refused] == ["frame 2"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    registry_file = tmp_path / "registry.toml"
    registry_file.write_text(f'[[node]]\nid = "{NODE}"\nkey = "{KEY.hex()}"\n')
    registry_file.chmod(0o600)
    path = tmp_path / "gateway.toml"
    path.write_text('site = "casa"\nregistry = "registry.toml"\n[store]\npath = "derb.sqlite3"\n')
    return path


def take(config: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["take", *words, "--config", str(config), "--wait", "0"])
    return result.exit_code, result.output


def test_without_a_gateway_the_file_waits_for_it(config: Path, tmp_path: Path) -> None:
    code, text = take(config, str(written(tmp_path / "node.json", pulled(frame(1, 2)))))
    assert code == 0
    said = json.loads(text.splitlines()[0])
    assert said == {"node": NODE, "frames": 1, "readings": 2, "refused": [], "taken": False}
    assert "until the gateway runs" in text
    assert len(list(drop_box(tmp_path / "derb.sqlite3").iterdir())) == 1


def test_what_is_not_for_this_gateway_is_refused_before_it_is_dropped(config: Path, tmp_path: Path) -> None:
    stranger = written(tmp_path / "stranger.json", pulled(frame(1, node=STRANGER), node=STRANGER))
    assert take(config, str(stranger))[0] == 2
    forged = written(tmp_path / "forged.json", pulled(frame(1, key=OTHER_KEY)))
    code, text = take(config, str(forged))
    assert code == 2
    assert "bad_tag" in text
    assert take(config, str(tmp_path / "none.json"))[0] == 2
    assert not drop_box(tmp_path / "derb.sqlite3").exists()


def test_the_good_frames_of_a_damaged_file_are_taken_and_the_rest_named(config: Path, tmp_path: Path) -> None:
    code, text = take(config, str(written(tmp_path / "node.json", pulled(frame(1), frame(2)[:-1] + b"x"))))
    assert code == 1
    assert "frame 2: bad_tag" in text
    assert len(list(drop_box(tmp_path / "derb.sqlite3").iterdir())) == 1


async def test_nothing_in_the_drop_box_costs_nothing(gate: Gate) -> None:
    async with running(gate.intake.run()):
        await asyncio.sleep(0)
        assert await gate.rows() == []


async def test_a_drop_box_that_cannot_be_read_is_looked_into_again(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def bad_disk(_store: Path) -> list[Path]:
        monkeypatch.undo()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("derb_gateway.pulled_intake.waiting", bad_disk)
    drop(written(tmp_path / "good.json", pulled(frame(7))), gate.path)
    async with running(gate.intake.run()):
        await eventually(is_empty(gate))
    assert "drop box" in caplog.messages
