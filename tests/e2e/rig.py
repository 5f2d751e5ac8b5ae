"""A real street for tests: boards in MicroPython, two Mosquittos, the gateway as its own process, an upstream that counts."""

import asyncio
import json
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from derb_gateway.config import BrokerSettings
from derb_gateway.ending import end
from derb_gateway.mosquitto import mosquitto_conf, require_mosquitto
from derb_tools.board import HcSr04, Lis3mdl, SimBoard, WakeResult
from derb_tools.demo.ledger import Balance, Ledger, balance, count_keys
from derb_tools.demo.plan import Kind, PlannedNode, Ports, gateway_toml, make_board, write_site
from derb_tools.demo.upstream import Upstream
from gateway.kit import DEADLINE_S, eventually, free_port, listening

EARTH = (29000, -300, 30000)
CAR = (9000, -4000, 12000)
PASSING = (-4000, 5000, 3000)
MANOEUVRE_S = 10
PING_US_A_MM = 2 * 1_000_000 / 343_420


def busy_bay(path: Path, minutes: int = 600, dwell_s: int = 200) -> Path:
    """A bay with a car that drives in and out every `dwell_s` seconds, at 1 Hz."""
    count = minutes * 60
    with path.open("wb") as file:
        file.write(b"DERBMAG1" + struct.pack("<II", 1000, count))
        for i in range(count):
            file.write(struct.pack("<iiih", *_field_nt(i, dwell_s), 2000))
    return path


def _field_nt(second: int, dwell_s: int) -> Iterator[int]:
    """The Earth's field, and the car's: while it moves, its ends and wheels pass over the sensor."""
    moving = min(second % dwell_s, MANOEUVRE_S) if second >= dwell_s else MANOEUVRE_S
    parked_now = second // dwell_s % 2
    share = moving if parked_now else MANOEUVRE_S - moving
    passing = min(moving, MANOEUVRE_S - moving)
    for axis in range(3):
        yield EARTH[axis] + CAR[axis] * share // MANOEUVRE_S + PASSING[axis] * passing


def filling_container(path: Path, readings: int = 400, period_ms: int = 60_000, rise_mm: int = 13) -> Path:
    """A container that rises by `rise_mm` a record and is emptied; 15 pings a record."""
    with path.open("wb") as file:
        file.write(struct.pack("<8sIHHI", b"DERBECH1", period_ms, 15, 0, readings))
        for i in range(readings):
            echo_us = round((1400 - i * rise_mm % 1100) * PING_US_A_MM)
            file.write(struct.pack("<h15i", 2000, *[echo_us] * 15))
    return path


def planned(folder: Path, number: int, kind: Kind, **config: object) -> PlannedNode:
    """Node `number` with a recording of its own kind."""
    if kind == "parking":
        part: Lis3mdl | HcSr04 = Lis3mdl(
            busy_bay(folder / f"{number}.mag"), int_pin=33, address=0x1C, noise_nt=200, seed=number
        )
    else:
        part = HcSr04(filling_container(folder / f"{number}.echo"), trig=25, echo=26)
    settings = {"awake_ms": 4000, "backoff_max_s": 120, "report_every": 2, "wake_s": 120, **config}
    return PlannedNode(
        bytes.fromhex(f"240ac4{number:06x}"), f"place-{number:03d}", kind, [part], config=settings
    )


class Process:
    """A program that tests start, stop and kill."""

    def __init__(self, command: list[str], log: Path, ready_port: int | None = None) -> None:
        self._command = command
        self._log = log
        self._ready_port = ready_port
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if self._ready_port is not None:
            self._wait_for_port(self._ready_port)

    def _wait_for_port(self, port: int) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if listening(port):
                return
            time.sleep(0.01)
        raise AssertionError(f"nothing listens on {port}: {self._log.read_text()}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def stop(self, within_s: float = DEADLINE_S) -> int:
        """SIGTERM; return the exit code."""
        assert self._child is not None
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        return self._child.wait(within_s)


def count_keys_of_file(path: Path) -> Counter[str]:
    """How often each reading stands in a file; the last line may be half written."""
    lines = path.read_text().splitlines(keepends=True)
    return count_keys(json.loads(line) for line in lines if line.endswith("\n"))


class Rig:
    """The street of one test, in one folder."""

    def __init__(
        self, folder: Path, nodes: list[PlannedNode], *, known_only: int = 0, speed: float = 0
    ) -> None:
        """`known_only`: of the last so many nodes only the gateway knows; the test makes their boards itself."""
        self.folder = folder
        self.nodes = nodes
        self.ports = Ports(free_port(), free_port())
        self.config = write_site(
            folder, nodes, "test", "zone", gateway_toml("test", self.ports, manage_broker=False)
        )
        self.street_broker = self._broker("street", self.ports.street)
        self.city_broker = self._broker("city", self.ports.city)
        self.gateway = Process(
            [sys.executable, "-m", "derb_gateway", "run", "--config", str(self.config)],
            folder / "gateway.log",
        )
        self.upstream = Upstream("127.0.0.1", self.ports.city, "test")
        self.ledger = Ledger(node.id for node in nodes)
        simulated = nodes[: len(nodes) - known_only]
        self.boards = {
            node.id: make_board(folder / "boards", node, self.ports, speed=speed) for node in simulated
        }
        self.crashes: list[str] = []
        self._upstream_task: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(min(len(nodes), 16))

    async def each(self, work: Callable[[str], None]) -> None:
        """Do `work` for every node at the same time, each in a thread of its own."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._threads, work, node.id) for node in self.nodes))

    def _broker(self, name: str, port: int) -> Process:
        place = self.folder / name
        place.mkdir()
        conf = place / "mosquitto.conf"
        conf.write_text(mosquitto_conf(BrokerSettings(port=port, directory=place)))
        return Process([str(require_mosquitto()), "-c", str(conf)], self.folder / f"{name}.log", port)

    async def __aenter__(self) -> "Rig":
        self.city_broker.start()
        self.street_broker.start()
        self._upstream_task = asyncio.create_task(self.upstream.run())
        await asyncio.wait_for(self.upstream.ready.wait(), DEADLINE_S)
        self.gateway.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._upstream_task:
            await end(self._upstream_task)
        for process in (self.gateway, self.street_broker, self.city_broker):
            process.kill()

    def wake(self, node: str, **arguments: object) -> WakeResult:
        """Run one wake and enter what the node said; a crash is kept for the test to see."""
        board: SimBoard = self.boards[node]
        result = board.wake(**arguments)  # type: ignore[arg-type]
        self.ledger.read(node, result.log, result.start_ms)
        if (
            result.end not in ("deepsleep", "power_cut")
            or any("Traceback" in line for line in result.log)
            or result.violations
        ):
            self.crashes.append(f"{node}: {result} {result.violations}")
        return result

    def waiting(self, node: str) -> int:
        """Readings of a node without a receipt."""
        return self.ledger.nodes[node].waiting

    async def drain(self, within_s: float = DEADLINE_S) -> None:
        """Wake all boards until every outbox is empty."""

        def until_empty(node: str) -> None:
            deadline = time.monotonic() + within_s
            while self.waiting(node) and time.monotonic() < deadline:
                self.wake(node)

        await self.each(until_empty)

    async def arrived_upstream(self, expected: int, within_s: float = DEADLINE_S) -> None:
        """Wait until so many readings took effect upstream and are in the files, or the time is over: the balance will tell."""
        await self.upstream.holds(expected, within_s)
        with suppress(AssertionError):
            await eventually(lambda: len(self.file_counts()) >= expected, within_s)

    def file_counts(self) -> Counter[str]:
        """How often each reading stands in the forwarded files."""
        files = (self.folder / "forwarded").glob("*.ndjson")
        return sum(map(count_keys_of_file, files), Counter[str]())

    def balances(self, expected: list[str] | None = None) -> tuple[Balance, Balance]:
        """What came of all that was kept: over the city's broker, and in the files."""
        keys = list(self.ledger.kept()) if expected is None else expected
        return balance(keys, self.upstream.effects), balance(keys, self.file_counts())
