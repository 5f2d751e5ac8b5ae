"""Boards share a street: each wakes in its turn, power goes and comes back, all stops in good order."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from derb_tools.board import SimBoard, WakeResult
from derb_tools.board.clock import StreetClock
from derb_tools.board.fleet import Fleet, simulate
from tools.board.tiny import MakeBoard

SLEEPER = """
    import machine, time
    count = int(machine.RTC().memory() or b"0") + 1
    machine.RTC().memory(str(count).encode())
    print("count", count)
    machine.deepsleep({ms})
"""


def test_virtual_boards_wake_in_the_order_of_time(make_board: MakeBoard) -> None:
    boards = [make_board(SLEEPER.format(ms=ms), name=f"b{ms}") for ms in (20_000, 50_000)]
    wakes = list(simulate(boards, until_ms=110_000))
    starts = [result.start_ms for _, result in wakes]
    assert starts == sorted(starts)
    assert [sum(board is each for board, _ in wakes) for each in boards] == [6, 3]


def test_a_crashed_board_runs_no_more(make_board: MakeBoard) -> None:
    wakes = list(simulate([make_board("raise ValueError")], until_ms=1_000_000))
    assert [result.end for _, result in wakes] == ["crash"]


def test_a_fast_clock_runs_fast() -> None:
    clock = StreetClock(speed=1000, origin_ms=5000)
    began = time.monotonic()
    asyncio.run(clock.sleep_until(5000 + 50_000))
    assert clock.now_ms() >= 55_000
    assert 0.05 <= time.monotonic() - began < 5


def test_a_clock_must_run() -> None:
    with pytest.raises(ValueError, match="forward"):
        StreetClock(speed=0)


class Watcher:
    """Collects results, and lets a test wait for so many."""

    def __init__(self) -> None:
        self.results: list[tuple[SimBoard, WakeResult]] = []
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def wake(self, board: SimBoard, result: WakeResult) -> None:
        self.results.append((board, result))
        self._more.set()

    def line(self, _: SimBoard, line: str) -> None:
        self.lines.append(line)

    async def until(self, count: int) -> None:
        while len(self.results) < count:
            self._more.clear()
            await asyncio.wait_for(self._more.wait(), 30)


async def test_a_fleet_follows_its_clock(make_board: MakeBoard) -> None:
    boards = [make_board(SLEEPER.format(ms=10_000), name=f"b{i}", speed=200) for i in range(4)]
    watcher = Watcher()
    fleet = Fleet(boards, StreetClock(speed=200), watcher.wake, watcher.line)
    running = asyncio.create_task(fleet.run())
    await watcher.until(12)
    fleet.stop()
    await asyncio.wait_for(running, 30)
    for board in boards:
        starts = [result.start_ms for each, result in watcher.results if each is board]
        assert all(later - earlier >= 10_000 for earlier, later in pairwise(starts))
    assert len(watcher.lines) == len(watcher.results)


async def test_power_is_cut_asleep_and_comes_back(make_board: MakeBoard) -> None:
    board = make_board(SLEEPER.format(ms=3_600_000))
    watcher = Watcher()
    clock = StreetClock(speed=1000)
    fleet = Fleet([board], clock, watcher.wake)
    running = asyncio.create_task(fleet.run())
    await watcher.until(1)
    cut_ms = clock.now_ms()
    fleet.cut_power(board, off_ms=60_000)
    await watcher.until(2)
    fleet.stop()
    await running
    result = watcher.results[1][1]
    assert (result.cause, result.log) == ("power_on", ["count 1"])
    assert result.start_ms >= cut_ms + 60_000


async def test_power_is_cut_awake(make_board: MakeBoard) -> None:
    board = make_board("import time\nprint('awake')\nwhile True:\n    time.sleep(1)", speed=1)
    watcher = Watcher()
    awake = asyncio.Event()
    loop = asyncio.get_running_loop()
    fleet = Fleet([board], StreetClock(), watcher.wake, lambda *_: loop.call_soon_threadsafe(awake.set))
    running = asyncio.create_task(fleet.run())
    await asyncio.wait_for(awake.wait(), 30)
    fleet.cut_power(board, off_ms=10_000_000)
    await watcher.until(1)
    assert watcher.results[0][1].end == "power_cut"
    fleet.stop()
    await asyncio.wait_for(running, 30)


async def test_a_stop_cuts_what_does_not_end(make_board: MakeBoard) -> None:
    board = make_board("import time\nprint('awake')\nwhile True:\n    time.sleep(1)", speed=1)
    watcher = Watcher()
    awake = asyncio.Event()
    loop = asyncio.get_running_loop()
    fleet = Fleet([board], StreetClock(), watcher.wake, lambda *_: loop.call_soon_threadsafe(awake.set))
    running = asyncio.create_task(fleet.run(grace_s=0.1))
    await asyncio.wait_for(awake.wait(), 30)
    fleet.stop()
    await asyncio.wait_for(running, 30)
    assert watcher.results[0][1].end == "power_cut"


async def test_a_fault_of_the_simulator_ends_the_run(make_board: MakeBoard) -> None:
    board = make_board("")
    board.flash.unlink()
    with pytest.raises(Exception, match="factory"):
        await asyncio.wait_for(Fleet([board], StreetClock(), lambda *_: None).run(), 30)
