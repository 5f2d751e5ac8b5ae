"""Sinks come, go and change while others go on; each reading goes on to each once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from derb_gateway.forwarding import Forwarding
from derb_gateway.intake import Intake
from derb_gateway.parts import Parts
from derb_gateway.progress import Progress
from derb_gateway.sink_settings import FileSinkSettings
from derb_gateway.sinks.kinds import SinkSurroundings
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from gateway.kit import arrival, eventually, frame, registry


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "derb.sqlite3")
        self.intake = Intake(registry())
        self.writer = Writer(self.store, self.intake.forget)
        self.progress = Progress(0)
        self.parts = Parts()
        around = SinkSurroundings("test", self.store.path, registry)
        self.forwarding = Forwarding(self.parts, around, self.writer, self.progress)

    def sink(self, name: str, folder: str, **values: int) -> FileSinkSettings:
        return FileSinkSettings(
            type="file", name=name, directory=self.folder / folder, batch_age_s=0.01, **values
        )

    async def take(self, *sequences: int) -> None:
        outcome = await self.writer.do(
            lambda store: self.intake.take(store, [arrival(frame(n)) for n in sequences])
        )
        self.progress.reached(outcome.last_id)

    def lines(self, folder: str) -> int:
        files = (self.folder / folder).glob("*.ndjson")
        return sum(len(path.read_text().splitlines()) for path in files)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    await rig.parts.cancel_all()
    rig.writer.close()
    rig.store.close()


async def test_a_changed_sink_goes_on_where_it_stopped(rig: Rig) -> None:
    rig.forwarding.start(rig.sink("a", "one"))
    await rig.take(0, 1, 2)
    await eventually(lambda: rig.lines("one") == 3)
    await rig.forwarding.change([], [rig.sink("a", "two")], 5)
    await rig.take(3, 4)
    await eventually(lambda: rig.lines("two") == 2)
    assert rig.lines("one") == 3


async def test_a_sink_that_goes_ends_and_one_that_comes_begins_with_what_there_is(rig: Rig) -> None:
    rig.forwarding.start(rig.sink("a", "one"))
    await rig.take(0, 1, 2)
    await eventually(lambda: rig.lines("one") == 3)
    await rig.forwarding.change(["a", "never there"], [rig.sink("b", "two")], 5)
    assert rig.forwarding.names() == ["b"]
    await rig.take(3)
    await eventually(lambda: rig.lines("two") == 4)
    assert rig.lines("one") == 3


async def test_one_that_cannot_be_made_ends_none(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.forwarding.start(rig.sink("a", "one"))
    await rig.take(0)
    await eventually(lambda: rig.lines("one") == 1)

    def cannot(*_: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr("derb_gateway.forwarding.make_sink", cannot)
    with pytest.raises(ValueError, match="no such thing"):
        await rig.forwarding.change(["a"], [rig.sink("b", "two")], 5)
    await rig.take(1)
    await eventually(lambda: rig.lines("one") == 2)
