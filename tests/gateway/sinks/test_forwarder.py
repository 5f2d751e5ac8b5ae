"""Forwarding, over a sink that does as it is told: order, batches, failures, refusals, the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from derb_gateway.errors import SinkPartly, SinkRefused, SinkRetry
from derb_gateway.progress import Progress
from derb_gateway.sink_settings import BatchSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.forwarder import Forwarder
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.store import NewReading, Store
from derb_gateway.writer import Writer
from gateway.kit import NODE, NOW_MS, eventually, registry


class Obedient:
    """A sink that keeps what it gets, fails as often as told and refuses what it must."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.lanes: list[str] = []
        self.asked: list[int] = []
        self.partly: list[SinkPartly] = []
        self.failures = 0
        self.failure: Exception = SinkRetry("away")
        self.refuses: Callable[[int], bool] = lambda _: False
        self.opened_with: str | None = "never"
        self.closed = False

    async def open(self, state: str | None) -> str | None:
        self.opened_with = state
        return state

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        self.asked.append(len(batch.readings))
        if self.failures:
            self.failures -= 1
            raise self.failure
        if self.partly:
            raise self.partly.pop(0)
        sequences = [reading["seq"] for reading in batch.readings]
        if any(self.refuses(sequence) for sequence in sequences):
            raise SinkRefused("never")
        self.batches.append(sequences)
        self.lanes.append(batch.lane)
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

    def book(self) -> RefusedBook:
        return RefusedBook(refused_path(self.store.path))

    def forwarder(self, size: int = 10, age_s: float = 0.05, name: str = "city", **more: float) -> Forwarder:
        return Forwarder(
            name,
            self.sink,
            BatchSettings.model_validate({"batch_size": size, "batch_age_s": age_s, **more}),
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
    (kept,) = rig.book().listed()
    assert (kept.sink, kept.reading.seq, kept.why, kept.wanted) == ("city", 5, "never", False)


async def test_a_dead_sink_stops_nobody(rig: Rig) -> None:
    dead, alive = rig.forwarder(name="dead"), rig.forwarder(name="alive")
    dead._sink, dead_sink = Obedient(), Obedient()
    dead_sink.failures = 10**9
    dead._sink = dead_sink
    rig.start(dead)
    rig.start(alive)
    await rig.make(5)
    await eventually(lambda: rig.sink.got() == [0, 1, 2, 3, 4])
    await eventually(lambda: not dead.healthy)
    assert dead_sink.got() == []


async def test_what_was_pruned_before_it_was_new_is_passed_over(rig: Rig) -> None:
    await rig.make(5)
    await rig.writer.do(lambda store: store.prune(0, []))
    rig.start(rig.forwarder())
    await asyncio.sleep(0.1)
    await rig.make(1)
    await eventually(lambda: rig.sink.got() == [5])


async def test_a_long_backlog_does_not_hold_up_what_comes_now(rig: Rig) -> None:
    await rig.make(100)
    rig.start(rig.forwarder(size=5, live_after=20, backfill_per_s=100))
    await eventually(lambda: len(rig.sink.batches) >= 3)
    assert rig.sink.batches[0] == [95, 96, 97, 98, 99]
    assert rig.sink.lanes[:2] == ["live", "backfill"]
    await rig.make(1)
    await eventually(lambda: 100 in rig.sink.got())
    assert len(rig.sink.got()) < 101, "the past was not waited for"
    await eventually(lambda: len(rig.sink.got()) == 101)
    past = [
        n
        for batch, lane in zip(rig.sink.batches, rig.sink.lanes, strict=True)
        if lane == "backfill"
        for n in batch
    ]
    assert past == list(range(95))


async def test_both_lanes_are_found_again_after_a_kill(rig: Rig) -> None:
    await rig.make(100)
    task = rig.start(rig.forwarder(size=5, live_after=20, backfill_per_s=50))
    await eventually(lambda: len(rig.sink.batches) >= 4)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    already = rig.store.counters()["forwarded.city"]
    second = rig.forwarder(size=5, live_after=20)
    rig.start(second)
    await eventually(lambda: set(rig.sink.got()) == set(range(100)))
    await eventually(lambda: second.cursor == rig.store.last_id())
    assert already >= 15
    assert len(rig.sink.got()) <= 105, "at most the batch that was under way comes again"
    assert rig.store.cursor("city/live") == (0, None)


async def test_nothing_is_pruned_that_one_lane_has_not_had(rig: Rig) -> None:
    await rig.make(100)
    rig.start(rig.forwarder(size=5, live_after=20, backfill_per_s=1))
    await eventually(lambda: len(rig.sink.batches) >= 2)
    await rig.writer.do(lambda store: store.prune(0, ["city"]))
    assert rig.store.db.execute("SELECT count(*) FROM reading").fetchone()[0] >= 90


async def test_what_is_taken_in_part_is_sorted_reading_by_reading(rig: Rig) -> None:
    rig.sink.partly = [SinkPartly({1: "bad", 77: "no such place"}, {2: "busy"}), SinkPartly({}, {0: "busy"})]
    await rig.make(4)
    rig.start(rig.forwarder(size=4))
    await eventually(lambda: rig.sink.got() == [2])
    await eventually(lambda: rig.store.counters()["forwarded.city"] == 3)
    assert rig.sink.asked == [4, 1, 1]
    assert [kept.reading.seq for kept in rig.book().listed()] == [1]
    assert rig.store.counters()["refused_by.city"] == 1


async def test_a_reading_that_never_works_while_others_do_is_put_aside(rig: Rig) -> None:
    rig.sink.partly = [
        SinkPartly({}, {2: "always busy"}),
        *(SinkPartly({}, {0: "always busy"}) for _ in range(20)),
    ]
    await rig.make(4)
    rig.start(rig.forwarder(size=4))
    await eventually(lambda: rig.store.cursor("city")[0] == rig.store.last_id())
    (kept,) = rig.book().listed()
    assert (kept.reading.seq, kept.why) == (2, "always busy")


async def test_a_target_that_takes_nothing_for_now_costs_no_reading(rig: Rig) -> None:
    rig.sink.partly = [SinkPartly({}, {0: "busy", 1: "busy"}) for _ in range(20)]
    await rig.make(2)
    rig.start(rig.forwarder(size=2))
    await eventually(lambda: rig.sink.got() == [0, 1])
    assert rig.book().listed() == []


async def test_a_target_that_refuses_everything_is_a_wrong_target(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.sink.refuses = lambda _: True
    forwarder = rig.forwarder(size=10)
    forwarder._patience._jitter = lambda _: 3600.0
    rig.start(forwarder)
    await rig.make(80)
    await eventually(lambda: any("sink is away" in message for message in caplog.messages))
    assert len(rig.book().listed()) == 50
    (away,) = [record for record in caplog.records if record.message == "sink is away"]
    assert "is it the right place" in away.__dict__["why"]


async def test_an_operator_has_refused_readings_tried_again(rig: Rig) -> None:
    rig.sink.refuses = lambda sequence: sequence in (1, 2)
    rig.start(rig.forwarder(size=5, replay_check_s=0.02))
    await rig.make(5)
    await eventually(lambda: len(rig.book().listed()) == 2)
    rig.sink.refuses = lambda sequence: sequence == 2
    assert rig.book().replay("city") == 2
    await eventually(lambda: rig.sink.got().count(1) == 1)
    await eventually(lambda: [kept.wanted for kept in rig.book().listed()] == [False])
    (kept,) = rig.book().listed()
    assert (kept.reading.seq, kept.tries) == (2, 2)
    assert rig.sink.lanes[-1] == "replay"
    assert rig.store.cursor("city")[0] == rig.store.last_id()


async def test_batches_are_bounded_by_bytes_too(rig: Rig) -> None:
    await rig.make(10)
    rig.start(rig.forwarder(size=10, batch_bytes=1100))
    await eventually(lambda: rig.sink.got() == list(range(10)))
    assert max(rig.sink.asked) == 3


async def test_the_upstream_says_when_it_wants_to_be_asked_again(rig: Rig) -> None:
    rig.sink.failures, rig.sink.failure = 1, SinkRetry("429", overloaded=True, after_s=0.3)
    forwarder = rig.forwarder(size=2)
    rig.start(forwarder)
    await rig.make(2)
    start_s = asyncio.get_running_loop().time()
    await eventually(lambda: rig.sink.got() == [0, 1])
    assert asyncio.get_running_loop().time() - start_s >= 0.3
    assert forwarder._pace.per_s < 100_000
