"""Many boards in one street: each wakes up when its timer or its sensor says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from .clock import StreetClock
from .result import WakeResult
from .simboard import SimBoard

OnWake = Callable[[SimBoard, WakeResult], None]
OnBoardLine = Callable[[SimBoard, str], None]

_GRACE_S = 20.0


def simulate(boards: Sequence[SimBoard], until_ms: int) -> Iterator[tuple[SimBoard, WakeResult]]:
    """Run the boards in the order of their wakes, in no more real time than it takes, until that street time.

    A board that would stay awake for ever runs no more.
    """
    while True:
        due = [
            (wake_ms, number)
            for number, board in enumerate(boards)
            if (wake_ms := board.next_wake_ms()) is not None
        ]
        wake_ms, number = min(due, default=(until_ms, -1))
        if wake_ms >= until_ms:
            return
        yield boards[number], boards[number].wake()


class Fleet:
    """Runs boards on a street's clock until `stop()`, each in its own thread while it is awake.

    `on_wake` gets every result, `on_line` every line of a log as it comes; the first is called in the
    event loop, the second in the board's thread. What a board does wrong is in its results; an error of
    the simulator ends `run()`.
    """

    def __init__(
        self,
        boards: Sequence[SimBoard],
        clock: StreetClock,
        on_wake: OnWake,
        on_line: OnBoardLine | None = None,
    ) -> None:
        self._lives = [_Life(board, clock, on_wake, on_line) for board in boards]
        self._stopping = asyncio.Event()

    async def run(self, grace_s: float = _GRACE_S) -> None:
        """Until `stop()`. A wake under way then has `grace_s` to end by itself, then its power is cut."""
        with ThreadPoolExecutor(max(1, len(self._lives)), "derb-board") as threads:
            tasks = [asyncio.create_task(life.run(threads, self._stopping)) for life in self._lives]
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                # A life ends only by stopping or by an error, so the first to end ends all.
                await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                await self._wind_up(tasks, stopping, grace_s)
        for task in tasks:
            task.result()

    def stop(self) -> None:
        """Start no more wakes, and let `run()` return."""
        self._stopping.set()

    def cut_power(self, board: SimBoard, off_ms: int = 0) -> None:
        """Take a board's power away at this moment, awake or asleep, and give it back after `off_ms`."""
        for life in self._lives:
            if life.board is board:
                life.cut_power(off_ms)

    async def _wind_up(
        self, tasks: list[asyncio.Task[None]], stopping: asyncio.Task[bool], grace_s: float
    ) -> None:
        self._stopping.set()
        stopping.cancel()
        for life in self._lives:
            life.interrupt()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for life in self._lives:
                life.board.cut_now()
            if late:
                await asyncio.wait(late)


class _Life:
    """One board from wake to wake."""

    def __init__(
        self, board: SimBoard, clock: StreetClock, on_wake: OnWake, on_line: OnBoardLine | None
    ) -> None:
        self.board = board
        self._clock = clock
        self._on_wake = on_wake
        self._on_line = on_line
        self._interrupted = asyncio.Event()
        self._awake = False
        self._off_until_ms: int | None = None

    async def run(self, threads: ThreadPoolExecutor, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._interrupted.clear()
            if self._off_until_ms is not None:
                await self._stay_off()
            elif await self._sleep() and not stopping.is_set():
                await self._wake(threads)

    def cut_power(self, off_ms: int) -> None:
        self._off_until_ms = self._clock.now_ms() + off_ms
        if self._awake:
            self.board.cut_now()
        else:
            self.board.power_cut(self._clock.now_ms())
        self.interrupt()

    def interrupt(self) -> None:
        self._interrupted.set()

    async def _stay_off(self) -> None:
        if self.board.state.ended != "off":  # it was about to wake up, or just about to sleep
            self.board.power_cut(self._clock.now_ms())
        if self._off_until_ms is not None and await self._wait_until(self._off_until_ms):
            self._off_until_ms = None

    async def _sleep(self) -> bool:
        """Wait for the next wake; False when something else came first."""
        due = await asyncio.to_thread(self.board.next_wake)
        return await self._wait_until(None if due is None else due[0])

    async def _wait_until(self, street_ms: int | None) -> bool:
        if self._interrupted.is_set():
            return False
        timeout_s = None if street_ms is None else self._clock.real_s_until(street_ms)
        try:
            async with asyncio.timeout(timeout_s):
                await self._interrupted.wait()
        except TimeoutError:
            return True
        return False

    async def _wake(self, threads: ThreadPoolExecutor) -> None:
        due = self.board.next_wake()
        if due is None:
            return
        self._awake = True
        try:
            result = await asyncio.get_running_loop().run_in_executor(threads, self._run, due[1])
        finally:
            self._awake = False
        self._on_wake(self.board, result)

    def _run(self, cause: str) -> WakeResult:
        on_line = self._on_line
        hear = None if on_line is None else lambda line: on_line(self.board, line)
        return self.board.wake(cause, now_ms=self._clock.now_ms(), on_line=hear)
