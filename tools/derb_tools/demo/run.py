"""Runs the whole street: brokers, gateway, boards, upstream; and says at the end what came of every reading."""

import asyncio
import contextlib
import json
import logging
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Literal

from derb_gateway.broker import BrokerProcess
from derb_gateway.config import BrokerSettings
from derb_gateway.ending import end
from derb_gateway.status import status as gateway_status
from rich.console import Console
from rich.live import Live

from derb_tools.board import SimBoard, WakeResult
from derb_tools.board.clock import StreetClock
from derb_tools.board.fleet import Fleet
from derb_tools.demo.ledger import Ledger, balance, count_keys
from derb_tools.demo.plan import PlannedNode, Ports, gateway_toml, make_board, write_site
from derb_tools.demo.street import planned_street
from derb_tools.demo.upstream import Upstream
from derb_tools.demo.view import StreetView
from derb_tools.errors import ToolError

Engine = Literal["auto", "mosquitto", "amqtt"]
SITE, ZONE = "casablanca-maarif", "maarif"
AMQTT_WARNING = (
    "amqtt stands in for Mosquitto. It loses what it acknowledged when it restarts; the receipts heal that."
)
_FRAME_S = 0.25
_DRAIN_S = 20.0
_SETTLE_S = 10.0
_HOURS = 8.0
_REPORT_S = 5.0


@dataclass(frozen=True)
class Summary:
    """What came of every reading. `repeats` came twice over the wire and were recognised by their key."""

    seconds: float
    sent: int
    stored: int
    forwarded: int
    in_files: int
    repeats: int
    crashes: int
    lost: int
    doubled: int

    @property
    def sound(self) -> bool:
        """Whether every reading took effect exactly once on both ways, and no node crashed."""
        return not (self.lost or self.doubled or self.crashes)


class Demo:
    """One run in one folder."""

    def __init__(
        self, folder: Path, *, seed: int, speed: float, console: Console, picture: Path | None, engine: Engine
    ) -> None:
        self._folder = folder
        if picture:
            picture.touch()  # a place that cannot be written is said now, not after the run
        self._picture = picture
        self._console = console
        self._speed = speed
        self._ports = Ports(*_free_ports(2))
        self._nodes = planned_street(folder / "street", seed, _HOURS)
        self._ledger = Ledger(node.id for node in self._nodes)
        self._names: dict[Path, str] = {}
        self._crashes: list[str] = []
        city = BrokerSettings(
            port=self._ports.city, directory=folder / "city-broker", manage=True, engine=engine
        )
        self._city_broker = BrokerProcess(city)
        self._engine = self._city_broker.engine
        self._config = write_site(
            folder,
            self._nodes,
            SITE,
            ZONE,
            gateway_toml(SITE, self._ports, manage_broker=True, engine=self._engine),
        )
        self._upstream = Upstream("127.0.0.1", self._ports.city, SITE, self._arrived)
        self._view = StreetView(self._nodes, self._ledger, self._upstream, speed, f"broker {self._engine}")
        self._view.warning = AMQTT_WARNING if self._engine == "amqtt" else ""
        self._boards: list[SimBoard] = []

    async def run(self, seconds: float | None, stop: asyncio.Event) -> Summary:
        """Run until `stop` or for `seconds`; then let every outbox empty, stop the gateway and add up."""
        if self._view.warning:
            self._console.print(f"[yellow]{self._view.warning}[/]")
        began = time.monotonic()
        async with self._city(), self._gateway() as (gateway, clock):
            self._boards = [self._make_board(node, clock) for node in self._nodes]
            await self._live(clock, seconds, stop)
            self._save_picture(clock)
            self._console.print("stopping: waiting for every outbox to empty …")
            await asyncio.to_thread(self._drain)
            await self._all_arrived()
            await _end(gateway)
        return self._summary(time.monotonic() - began)

    @contextlib.asynccontextmanager
    async def _city(self) -> AsyncIterator[None]:
        """The city's broker and the platform behind it."""
        await self._city_broker.start()
        platform = asyncio.create_task(self._upstream.run())
        try:
            async with asyncio.timeout(15):
                await self._upstream.ready.wait()
            yield
        finally:
            await end(platform)
            await self._city_broker.stop()

    @contextlib.asynccontextmanager
    async def _gateway(self) -> AsyncIterator[tuple[asyncio.subprocess.Process, StreetClock]]:
        """The gateway as its own process, on the street's clock; it brings the street's broker with it."""
        clock = StreetClock(self._speed)
        log = (self._folder / "gateway.log").open("ab")
        command = [sys.executable, "-m", "derb_gateway", "run", "--config", str(self._config)]
        command += ["--clock-speed", str(self._speed)]
        command += [
            "--clock-origin-unix-ms",
            str(clock.origin_real_ms),
            "--clock-origin-real-ms",
            str(clock.origin_real_ms),
        ]
        gateway = await asyncio.create_subprocess_exec(
            *command, stdout=log, stderr=log, start_new_session=True
        )
        try:
            await self._street_broker_answers(gateway)
            yield gateway, clock
        finally:
            await _end(gateway)
            log.close()

    async def _street_broker_answers(self, gateway: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and gateway.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._ports.street)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
        raise ToolError(f"the gateway did not start; its log is {self._folder / 'gateway.log'}")

    def _make_board(self, node: PlannedNode, clock: StreetClock) -> SimBoard:
        folder = self._folder / "boards"
        board = make_board(folder, node, self._ports, speed=self._speed, now_ms=clock.now_ms())
        self._names[board.dir] = board.node_id.hex()
        return board

    async def _live(self, clock: StreetClock, seconds: float | None, stop: asyncio.Event) -> None:
        fleet = Fleet(self._boards, clock, self._woke)
        running = asyncio.create_task(fleet.run())
        timer = asyncio.create_task(_sleep_or_for_ever(seconds))
        stopping = asyncio.create_task(stop.wait())
        picture = asyncio.create_task(self._show(clock))
        await asyncio.wait({running, timer, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await end(timer, stopping, picture)
        fleet.stop()
        await running

    def _save_picture(self, clock: StreetClock) -> None:
        if self._picture:
            canvas = Console(record=True, width=100, file=StringIO(), force_terminal=True)
            canvas.print(self._view.render(_unix_ms(clock)))
            drawing = canvas.export_svg(title="make demo")
            # Without the fonts that rich would have a browser fetch: the picture is whole by itself.
            self._picture.write_text(re.sub(r"@font-face\s*{[^}]*}", "", drawing))

    async def _show(self, clock: StreetClock) -> None:
        """A live picture on a terminal, a line now and then elsewhere."""
        if not self._console.is_terminal:
            while True:
                await asyncio.sleep(_REPORT_S)
                self._console.print(_line(self._ledger, self._upstream))
        with Live(
            self._view.render(_unix_ms(clock), self._console.width),
            console=self._console,
            refresh_per_second=4,
            screen=False,
        ) as live:
            while True:
                await asyncio.sleep(_FRAME_S)
                live.update(self._view.render(_unix_ms(clock), self._console.width))

    def _woke(self, board: SimBoard, result: WakeResult) -> None:
        node = self._names[board.dir]
        before = set(self._ledger.nodes[node].kept)
        self._ledger.read(node, result.log, result.start_ms)
        for key, kept in self._ledger.nodes[node].kept.items():
            if key not in before:
                self._view.node_kept(node, kept.kind, kept.payload, kept.street_ms)
        if result.end != "deepsleep" or result.violations or any("Traceback" in line for line in result.log):
            self._crashes.append(f"{node}: {result} {result.violations}")

    def _arrived(self, reading: dict[str, object]) -> None:
        self._view.arrived(reading)

    def _drain(self) -> None:
        """Wake the nodes, as time would, until nothing waits for a receipt."""
        deadline = time.monotonic() + _DRAIN_S
        while self._ledger.waiting and time.monotonic() < deadline:
            for board in self._boards:
                if self._ledger.nodes[self._names[board.dir]].waiting and board.next_wake() is not None:
                    self._woke(board, board.wake())

    async def _all_arrived(self) -> None:
        await self._upstream.holds(len(self._ledger.kept()), _SETTLE_S)

    def _summary(self, seconds: float) -> Summary:
        kept = self._ledger.kept()
        files = sorted((self._folder / "forwarded").glob("*.ndjson"))
        in_files = count_keys(json.loads(line) for path in files for line in path.read_text().splitlines())
        city, local = balance(kept, self._upstream.effects), balance(kept, in_files)
        stored = gateway_status(self._folder / "derb.sqlite3")["counters"].get("readings_stored", 0)
        for crash in self._crashes[:3]:
            self._console.print(crash, style="red", markup=False)
        return Summary(
            seconds=round(seconds, 1),
            sent=len(kept),
            stored=int(stored),
            forwarded=city.arrived,
            in_files=local.arrived,
            repeats=self._upstream.repeats,
            crashes=len(self._crashes),
            lost=len(set(city.lost) | set(local.lost)),
            doubled=len(set(city.doubled) | set(local.doubled)),
        )


def _unix_ms(clock: StreetClock) -> int:
    return clock.origin_real_ms + clock.now_ms() - clock.origin_ms


def run_demo(
    folder: Path,
    *,
    seconds: float | None,
    seed: int,
    speed: float,
    console: Console,
    picture: Path | None = None,
    engine: Engine = "auto",
) -> Summary:
    """Run a demo in `folder` until Ctrl-C or for so many seconds."""
    logging.getLogger("derb_gateway").addHandler(logging.NullHandler())
    demo = Demo(folder, seed=seed, speed=speed, console=console, picture=picture, engine=engine)
    return asyncio.run(_until_signal(lambda stop: demo.run(seconds, stop)))


async def _until_signal(work: Callable[[asyncio.Event], Awaitable[Summary]]) -> Summary:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await work(stop)


async def _sleep_or_for_ever(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _line(ledger: Ledger, upstream: Upstream) -> str:
    kept = len(ledger.kept())
    wakes = sum(entry.wakes for entry in ledger.nodes.values())
    return f"wakes {wakes}, readings kept {kept}, waiting {ledger.waiting}, upstream {len(upstream.readings)}"


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def summary_lines(summary: Summary) -> str:
    """Return the summary as people read it."""
    return "\n".join(f"{name:>10}  {value}" for name, value in asdict(summary).items())
