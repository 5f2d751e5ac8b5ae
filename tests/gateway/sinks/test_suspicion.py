"""A batch that fails as a whole for ever: one reading is given up, but only if the upstream takes others meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from derb_gateway.errors import SinkRetry
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.pieces import Piece
from derb_gateway.sinks.suspicion import TRIES, WITNESSES, Suspicion
from derb_gateway.store import StoredReading
from gateway.kit import NODE, NOW_MS, eventually
from gateway.sinks.test_forwarder import Obedient, Rig


def piece(count: int, failures: int) -> Piece:
    rows = tuple(
        StoredReading(i, NODE, 1, i, 4, "{}", NOW_MS, 0, False, NOW_MS, True) for i in range(1, count + 1)
    )
    return Piece("live", count, rows, tuple({} for _ in rows), failures=failures)


def test_a_batch_is_tried_whole_so_many_times_and_then_cut() -> None:
    suspicion = Suspicion()
    assert [suspicion.failed(piece(10, n)) for n in (1, TRIES - 1, TRIES)] == ["again", "again", "halve"]
    first, second = piece(10, TRIES).halves()
    assert suspicion.failed(first) == suspicion.failed(second) == "again"


def test_one_reading_is_given_up_when_others_were_taken_between_its_failures() -> None:
    suspicion, verdicts = Suspicion(), []
    for failures in range(TRIES, TRIES + WITNESSES + 1):
        verdicts.append(suspicion.failed(piece(1, failures)))
        suspicion.asked(taken=True)
    assert verdicts == ["ask"] * WITNESSES + ["give up"]


def test_what_takes_nothing_from_anybody_proves_nothing() -> None:
    suspicion = Suspicion()
    for failures in range(TRIES, TRIES + 1000):
        assert suspicion.failed(piece(1, failures)) == "ask"
        suspicion.asked(taken=failures % WITNESSES != 0)  # taken now and then, never so often in a row


class Fragile(Obedient):
    """Answers 500 to a whole batch that has something in it that it does not bear."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks_at: Callable[[int], bool] = lambda _: False
        self.fails = 0

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        if any(self.breaks_at(reading["seq"]) for reading in batch.readings):
            self.fails += 1
            raise SinkRetry("HTTP 500", suspect=True)
        return await super().deliver(batch, state)

    def first_times(self) -> list[int]:
        """What was taken, without the repeats."""
        return list(dict.fromkeys(self.got()))


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "derb.sqlite3")
    rig.sink = Fragile()
    yield rig
    await rig.end()


def sink_of(rig: Rig) -> Fragile:
    assert isinstance(rig.sink, Fragile)
    return rig.sink


@pytest.mark.parametrize(("size", "poison"), [(10, {4}), (10, {0}), (10, {9}), (1, {3}), (10, {3, 4, 17})])
async def test_poison_holds_up_nobody_for_ever(rig: Rig, size: int, poison: set[int]) -> None:
    sink_of(rig).breaks_at = lambda seq: seq in poison
    rig.start(rig.forwarder(size=size))
    await rig.make(40)
    await eventually(lambda: rig.store.cursor("city")[0] == rig.store.last_id())
    assert set(rig.sink.got()) == set(range(40)) - poison
    kept = rig.book().listed()
    assert [each.reading.seq for each in kept] == sorted(poison)
    assert all("while others were taken: HTTP 500" in each.why for each in kept)
    assert rig.store.counters()["refused_by.city"] == len(poison)


async def test_an_upstream_that_is_only_down_costs_no_reading_whatever_it_says(rig: Rig) -> None:
    sink = sink_of(rig)
    sink.breaks_at = lambda _: True
    rig.start(rig.forwarder(size=8))
    await rig.make(20)
    await eventually(lambda: sink.fails > 100)
    assert rig.book().listed() == []
    sink.breaks_at = lambda _: False
    await eventually(lambda: rig.store.cursor("city")[0] == rig.store.last_id())
    assert rig.book().listed() == []
    first, *rest = sink.first_times()
    assert sorted([first, *rest]) == list(range(20))
    assert rest == sorted(rest), "in order, but for the one that was asked about"


async def test_what_holds_up_nobody_is_not_given_up(rig: Rig) -> None:
    sink = sink_of(rig)
    sink.breaks_at = lambda seq: seq == 4
    rig.start(rig.forwarder(size=5))
    await rig.make(5)
    await eventually(lambda: sink.fails > 60)
    assert rig.book().listed() == []
    await rig.make(1)
    await eventually(lambda: [each.reading.seq for each in rig.book().listed()] == [4])


async def test_a_kill_while_it_is_being_found_out_loses_nothing(rig: Rig) -> None:
    sink = sink_of(rig)
    sink.breaks_at = lambda seq: seq == 2
    task = rig.start(rig.forwarder(size=1))
    await rig.make(6)
    await eventually(lambda: 3 in sink.got())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    sink.breaks_at = lambda _: False
    rig.start(rig.forwarder(size=1))
    await eventually(lambda: rig.store.cursor("city")[0] == rig.store.last_id())
    assert set(sink.got()) | {each.reading.seq for each in rig.book().listed()} == set(range(6))
