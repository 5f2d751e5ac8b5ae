"""What the gateway tests share: a clock that stands still, frames, a store without threads, a broker."""

import asyncio
import contextlib
import random
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from derb_gateway.arrivals import Arrival, Outcome
from derb_gateway.clock import Clock
from derb_gateway.config import BrokerSettings
from derb_gateway.ending import end
from derb_gateway.intake import Intake, Limits
from derb_gateway.mosquitto import mosquitto_conf, require_mosquitto
from derb_gateway.readings import PARKING, Parking, Reading, Uplink
from derb_gateway.registry import Bay, Container, Registry
from derb_gateway.store import Store
from derb_tools.wire import encode_uplink

NODE = "240ac4a1b2c3"
OTHER = "7cdfa1000001"
STRANGER = "0000000000ff"
KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))
NOW_MS = 1_795_000_000_000
DEADLINE_S = 60.0  # of what must come true; a busy machine is no failure
BELOW_THE_CLIENTS = range(20_000, 32_000)
KEYS = {NODE: KEY, OTHER: OTHER_KEY}


def registry() -> Registry:
    """Two nodes: one at a bay, one at a container of 1,500 mm."""
    bay = Bay(id="maarif-001", zone="maarif", lat=33.58, lon=-7.62)
    container = Container(id="c-1", zone="maarif", lat=33.58, lon=-7.62, empty_mm=1500, full_mm=250)
    return Registry(dict(KEYS), {NODE: bay}, {OTHER: container})


class StillClock(Clock):
    """Moves only when it is told to; wall and monotonic together unless the wall is set."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = NOW_MS
        self.now_s = 1000.0
        self.is_synchronised = True

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_s(self) -> float:
        return self.now_s

    def synchronised(self) -> bool:
        return self.is_synchronised

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.now_ms += int(seconds * 1000 * self.speed)


def parking(*sequences: int, age_s: int = 0, state: str = "occupied") -> tuple[Reading, ...]:
    """Parking readings, newest first, ten seconds apart."""
    newest_first = sorted(sequences, reverse=True)
    return tuple(Reading(s, age_s + 10 * i, Parking(state, 95, 60)) for i, s in enumerate(newest_first))


def frame(
    *sequences: int, boot: int = 1, age_s: int = 0, bound: bool = False, node: str = NODE, key: bytes = KEY
) -> bytes:
    """A signed frame of parking readings with these (consecutive) sequence numbers."""
    return encode_uplink(node, key, Uplink(PARKING, boot, bound, parking(*sequences, age_s=age_s)))


def arrival(
    payload: bytes,
    *,
    node: str = NODE,
    topic: str | None = None,
    dup: bool = False,
    at_ms: int = NOW_MS,
    error_ms: int | None = 0,
) -> Arrival:
    """A message as the intake sees it."""
    where = f"d/{node}/u" if topic is None else topic
    return Arrival.of(where, payload, dup=dup, received_ms=at_ms, error_ms=error_ms, synchronised=True)


class Disk:
    """A store and an intake, each `take` one transaction; no threads."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.limits = limits
        self.open()

    def open(self) -> None:
        self.store = Store(self.path)
        self.intake = Intake(registry(), self.limits)

    def reopen(self) -> None:
        """As after a restart: everything in memory is gone."""
        self.store.close()
        self.open()

    def take(self, *arrivals: Arrival) -> Outcome:
        self.store.db.execute("BEGIN IMMEDIATE")
        outcome = self.intake.take(self.store, arrivals)
        self.store.db.execute("COMMIT")
        return outcome

    def let_in(self) -> Outcome:
        self.store.db.execute("BEGIN IMMEDIATE")
        outcome = self.intake.let_in(self.store)
        self.store.db.execute("COMMIT")
        return outcome

    def sequences(self, node: str = NODE, boot: int = 1) -> list[int]:
        rows = self.store.db.execute(
            "SELECT seq FROM reading WHERE node = ? AND boot = ? ORDER BY id", (node, boot)
        )
        return [seq for (seq,) in rows]

    def one(self, query: str) -> object:
        return self.store.db.execute(query).fetchone()[0]


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago, and that Linux gives to no client while a server is away."""
    while True:
        port = random.SystemRandom().choice(BELOW_THE_CLIENTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


async def eventually(true: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait on a real process until something holds, or fail."""
    until = time.monotonic() + deadline_s
    while not true():
        if time.monotonic() > until:
            raise AssertionError("it did not come true in time")
        await asyncio.sleep(0.01)


def wait_until(true: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """As `eventually`, where there is no event loop."""
    until = time.monotonic() + deadline_s
    while not true():
        if time.monotonic() > until:
            raise AssertionError("it did not come true in time")
        time.sleep(0.01)


def listening(port: int) -> bool:
    """Whether something takes connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Mosquitto:
    """A real broker with the configuration that the gateway would give it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        values = {"port": free_port(), "directory": folder, **settings}
        self.settings = BrokerSettings.model_validate(values)
        self._conf = folder / "mosquitto.conf"
        folder.mkdir(parents=True, exist_ok=True)
        self._conf.write_text(mosquitto_conf(self.settings))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self.settings.port

    def start(self) -> None:
        command = [str(require_mosquitto()), "-c", str(self._conf)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(lambda: listening(self.port))

    def stop(self, *, kill: bool = False) -> None:
        while self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            with suppress(subprocess.TimeoutExpired):  # it forgets a signal that comes while it starts
                self.process.wait(1.0)
                self.process = None


@contextmanager
def mosquitto(folder: Path, **settings: object) -> Iterator[Mosquitto]:
    """A running broker."""
    broker = Mosquitto(folder, **settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@asynccontextmanager
async def running(coroutine: "asyncio.Future[None] | object") -> AsyncIterator[asyncio.Task[None]]:
    """A task that is cancelled at the end."""
    task: asyncio.Task[None] = asyncio.ensure_future(coroutine)  # type: ignore[arg-type]
    try:
        yield task
    finally:
        await end(task)
