"""Forwarding, over a sink that does as it is told: order, batches, failures, refusals, the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from derb_gateway.config import BatchSettings
from derb_gateway.errors import SinkRefused, SinkRetry
from derb_gateway.progress import Progress
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.forwarder import Forwarder
from derb_gateway.store import NewReading, Store
from derb_gateway.writer import Writer
from gateway.kit import NODE, NOW_MS, eventually, registry


class Obedient:
    """A sink that keeps what it gets, fails as often as told and refuses what it must."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.failures = 0
        self.failure: Exception = SinkRetry("away")
        self.refuses: Callable[[int], bool] = lambda _: False
        self.opened_with: str | None = "never"
        self.closed = False

    async def open(self, state: str | None) -> str | None:
        self.opened_with = state
        return state

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        if self.failures:
            self.failures -= 1
            raise self.failure
        sequences = [reading["seq"] for reading in batch.readings]
        if any(self.refuses(sequence) for sequence in sequences):
            raise SinkRefused("never")
        self.batches.append(sequences)
        return f"{state or ''}{len(sequences)},"

    async def close(self) -> None:
        self.closed = True

    def got(self) -> list[int]:
        return [sequence for batch in self.batches for sequence in batch]


class Rig:
    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.writer = Writer(self.store, lambda: None)
        self.progress = Progress(self.store.last_id())
        self.sink = Obedient()
        self.made = 0
        self.tasks: list[asyncio.Task[None]] = []

    def forwarder(self, size: int = 10, age_s: float = 0.05, name: str = "city") -> Forwarder:
        return Forwarder(
            name,
            self.sink,
            BatchSettings(batch_size=size, batch_age_s=age_s),
            (0.001, 0.01),
            path=self.store.path,
            writer=self.writer,
            progress=self.progress,
            registry=registry,
        )

    def start(self, forwarder: Forwarder) -> asyncio.Task[None]:
        self.tasks.append(asyncio.create_task(forwarder.run()))
        return self.tasks[-1]

    async def make(self, count: int) -> None:
        sequences = range(self.made, self.made + count)
        rows = [
            NewReading(NODE, 1, s, 4, '{"alarm":"full","value":1}', NOW_MS, 0, False, NOW_MS, True)
            for s in sequences
        ]
        self.made += count
        self.progress.reached(await self.writer.do(lambda store: (store.insert(rows), store.last_id())[1]))

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.writer.close()
        self.store.close()


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "derb.sqlite3")
    yield rig
    await rig.end()


async def test_a_full_batch_leaves_at_once_and_the_rest_when_it_is_old_enough(rig: Rig) -> None:
    rig.start(rig.forwarder(size=10, age_s=0.3))
    await rig.make(25)
    await eventually(lambda: len(rig.sink.batches) == 2)
    assert rig.sink.batches == [list(range(10)), list(range(10, 20))]
    await eventually(lambda: rig.sink.got() == list(range(25)))


async def test_it_goes_on_where_it_was_with_the_state_it_had(rig: Rig) -> None:
    await rig.make(3)
    first = rig.forwarder()
    first.drain()
    await first.run()
    await rig.make(2)
    second = rig.forwarder()
    second.drain()
    await second.run()
    assert rig.sink.got() == [0, 1, 2, 3, 4]
    assert rig.sink.opened_with == "3,"
    assert rig.sink.closed
    assert rig.store.cursor("city") == (rig.store.last_id(), "3,2,")


async def test_failures_are_tried_again_in_order_and_told_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    rig.sink.failures = 5
    forwarder = rig.forwarder(size=2)
    rig.start(forwarder)
    await rig.make(4)
    await eventually(lambda: rig.sink.got() == [0, 1, 2, 3])
    await eventually(lambda: forwarder.healthy)
    assert sum("sink is away" in message for message in caplog.messages) == 1


async def test_a_bug_in_a_sink_is_a_sink_that_is_away(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.sink.failures, rig.sink.failure = 3, ZeroDivisionError()
    task = rig.start(rig.forwarder(size=2))
    await rig.make(2)
    await eventually(lambda: rig.sink.got() == [0, 1])
    assert not task.done()
    (record,) = [record for record in caplog.records if record.message == "sink is away"]
    assert record.exc_info is not None


async def test_one_refused_reading_costs_only_itself(rig: Rig) -> None:
    rig.sink.refuses = lambda sequence: sequence == 5
    rig.start(rig.forwarder(size=10))
    await rig.make(10)
    await eventually(lambda: sorted(rig.sink.got()) == [0, 1, 2, 3, 4, 6, 7, 8, 9])
    await eventually(lambda: rig.store.counters()["refused_by.city"] == 1)
    assert rig.sink.got() == sorted(rig.sink.got())
    (row,) = rig.store.db.execute("SELECT topic, reason FROM quarantine").fetchall()
    assert row == ("sink/city", "sink_refused")


async def test_a_dead_sink_stops_nobody(rig: Rig) -> None:
    dead, alive = rig.forwarder(name="dead"), rig.forwarder(name="alive")
    dead._sink, dead_sink = Obedient(), Obedient()
    dead_sink.failures = 10**9
    dead._sink = dead_sink
    rig.start(dead)
    rig.start(alive)
    await rig.make(5)
    await eventually(lambda: rig.sink.got() == [0, 1, 2, 3, 4])
    assert dead_sink.got() == []
    assert not dead.healthy


async def test_what_was_pruned_before_it_was_new_is_passed_over(rig: Rig) -> None:
    await rig.make(5)
    await rig.writer.do(lambda store: store.prune(0, []))
    rig.start(rig.forwarder())
    await asyncio.sleep(0.1)
    await rig.make(1)
    await eventually(lambda: rig.sink.got() == [5])
