"""Only what gets on counts as alive: a stuck writer does not, a disk that refuses does."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_gateway.liveness import Liveness
from derb_gateway.pulse import Pulse
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from gateway.kit import eventually


class Rig:
    def __init__(self, folder: Path) -> None:
        self.now_s = 1000.0
        self.store = Store(folder / "derb.sqlite3")
        self.writer = Writer(self.store, lambda: None)
        self.pump = Pulse("intake", lambda: self.now_s)
        self.liveness = Liveness(self.writer, [self.pump], 60, lambda: self.now_s)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.writer.close()
    rig.store.close()


async def test_each_way_through_the_writer_counts_and_costs_no_commit_to_the_disk(rig: Rig) -> None:
    log = rig.store.path.with_name("derb.sqlite3-wal")
    before = log.stat().st_size
    for _ in range(3):
        await rig.liveness.probe()
    assert rig.liveness.probes == 3
    assert rig.liveness.stalls() == []
    assert log.stat().st_size == before


async def test_a_writer_that_is_stuck_is_a_stall_until_it_goes_on(rig: Rig) -> None:
    let_go = threading.Event()
    stuck = asyncio.create_task(rig.writer.do(lambda _: let_go.wait(10)))
    probe = asyncio.create_task(rig.liveness.probe())
    await asyncio.sleep(0)
    rig.now_s += 59
    assert rig.liveness.stalls() == []
    rig.now_s += 2
    assert rig.liveness.stalls() == ["writer has been at one step for 61 s"]
    assert rig.liveness.probes == 0
    let_go.set()
    await asyncio.gather(stuck, probe)
    assert rig.liveness.stalls() == []
    assert rig.liveness.probes == 1


async def test_a_loop_that_stands_still_is_a_stall_though_the_writer_answers(rig: Rig) -> None:
    rig.pump.beat()
    rig.now_s += 61
    await rig.liveness.probe()
    assert rig.liveness.stalls() == ["intake has been at one step for 61 s"]


async def test_a_disk_that_refuses_has_answered(rig: Rig) -> None:
    rig.store.db.close()
    rig.store.db = sqlite3.connect("file:/nowhere/at/all?mode=memory", uri=True, check_same_thread=False)
    rig.store.db.execute("PRAGMA query_only = 1")
    rig.writer.refusing = "it is full"  # so that the probe must write an alarm, which fails
    await rig.liveness.probe()
    assert rig.writer.refusing is not None
    assert (rig.liveness.probes, rig.liveness.stalls()) == (1, [])


async def test_replacing_a_damaged_file_takes_its_time_but_not_for_ever(rig: Rig) -> None:
    rig.writer.replacing_since_s = rig.now_s
    rig.pump.beat()
    rig.now_s += 1800
    assert rig.liveness.is_replacing()
    assert rig.liveness.stalls() == []
    rig.now_s += 1900
    assert not rig.liveness.is_replacing()
    assert rig.liveness.stalls() != []


async def test_it_probes_by_itself(rig: Rig) -> None:
    running = asyncio.create_task(rig.liveness.run(0.001))
    await eventually(lambda: rig.liveness.probes > 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
