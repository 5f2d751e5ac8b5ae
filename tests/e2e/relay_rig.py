"""A street on ESP-NOW for tests: relays in MicroPython on pseudo-terminals, the gateway as its own process, nodes on the air."""

import json
import selectors
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from derb_gateway.cli import app
from derb_tools.board import Faults
from derb_tools.board.air import BROADCAST, Air, AirRadio
from derb_tools.board.relay import RelayBoard
from derb_tools.demo.ledger import count_keys
from derb_tools.load_node import LoadNode
from gateway.kit import DEADLINE_S, free_port
from typer.testing import CliRunner

from tests.e2e.rig import Process

CHANNEL = 1
PATIENCE_S = 2.5  # of a node, before it says again what has no receipt


def relay_id(number: int) -> bytes:
    return bytes.fromhex(f"240ac4ffff{number:02x}")


def node_key(node: str) -> bytes:
    return (node.encode() * 3)[:32]


class RelayRig:
    """Air, relays and a gateway with a file sink; a context manager."""

    def __init__(
        self,
        folder: Path,
        nodes: Iterable[str],
        relays: int = 1,
        *,
        faults: Faults | None = None,
        loss: float = 0,
        registry: str | None = None,
        extra: str = "",
    ) -> None:
        self.folder = folder
        self.air = Air(loss=loss)
        self._stack = ExitStack()
        places = [folder / f"relay{number}" for number in range(relays)]
        for place in places:
            place.mkdir()
        self.relays = [
            RelayBoard(place, relay_id(number), self.air.port, faults) for number, place in enumerate(places)
        ]
        entries = [f'[[node]]\nid = "{node}"\nkey = "{node_key(node).hex()}"\n' for node in nodes]
        (folder / "registry.toml").write_text("\n".join(entries) if registry is None else registry)
        sections = [
            f'[[relay]]\nname = "r{number}"\nport = "{relay.port}"\nid = "{relay_id(number).hex()}"\n{extra}\n'
            for number, relay in enumerate(self.relays)
        ]
        self.config = folder / "gateway.toml"
        self.config.write_text(
            f'site = "test"\nregistry = "registry.toml"\n[broker]\nport = {free_port()}\n'
            '[[sink]]\ntype = "file"\nname = "files"\ndirectory = "forwarded"\nbatch_age_s = 0.1\n'
            + "\n".join(sections)
        )
        self.gateway = Process(
            [sys.executable, "-m", "derb_gateway", "run", "--config", str(self.config)],
            folder / "gateway.log",
        )

    def __enter__(self) -> "RelayRig":
        self._stack.enter_context(self.air)
        for relay in self.relays:
            self._stack.enter_context(relay)
        self.gateway.start()
        self._stack.callback(self.gateway.kill)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def forwarded(self) -> Counter[str]:
        """How often each reading stands in the forwarded files."""
        files = sorted((self.folder / "forwarded").glob("*.ndjson"))
        lines = [line for path in files for line in path.read_text().splitlines(keepends=True)]
        return count_keys(json.loads(line) for line in lines if line.endswith("\n"))

    def status(self) -> dict[str, dict[str, object]]:
        """What `derb gateway status` prints."""
        done = CliRunner().invoke(app, ["status", "--config", str(self.config)])
        status: dict[str, dict[str, object]] = json.loads(done.stdout)
        return status

    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()

    def wait_for_log(self, words: str, times: int = 1, within_s: float = DEADLINE_S) -> None:
        deadline_s = time.monotonic() + within_s
        while self.log().count(words) < times:
            if time.monotonic() > deadline_s:
                raise AssertionError(f"{words!r} was not said: {self.log()[-2000:]}")
            time.sleep(0.05)


class Crowd:
    """Many nodes at the wire level on one air, in one thread: make readings, repeat what has no receipt, take receipts.

    `target` is a relay's address, or BROADCAST: then every relay hears everything.
    """

    def __init__(self, air_port: int, nodes: Sequence[str], target: bytes = BROADCAST) -> None:
        self.nodes = [LoadNode(node, node_key(node), 1) for node in nodes]
        self.frames: list[tuple[str, bytes]] = []
        self._target = target
        self._radios = {node: AirRadio(air_port, bytes.fromhex(node), CHANNEL) for node in nodes}
        self._patience_s = dict.fromkeys(nodes, PATIENCE_S)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._to_make: list[tuple[float, LoadNode]] = []
        self._began_s = 0.0

    def start(self, readings: int, rate: float) -> None:
        """Begin: so many readings of each node, at `rate` a second of all together."""
        order = [node for _ in range(readings) for node in self.nodes]
        self._to_make = [(number / rate, node) for number, node in enumerate(order)]
        self._began_s = time.monotonic()
        self._thread.start()

    def settle(self, within_s: float = 2 * DEADLINE_S) -> None:
        """Wait until every reading has its receipt, or the time is over; then end."""
        deadline_s = time.monotonic() + within_s
        while (self._to_make or self.waiting) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        self._stop.set()
        self._thread.join()

    @property
    def waiting(self) -> int:
        return sum(node.waiting for node in self.nodes)

    @property
    def made(self) -> int:
        return sum(node.made for node in self.nodes)

    def keys(self) -> set[str]:
        return set().union(*(node.made_keys() for node in self.nodes))

    def _run(self) -> None:
        with ExitStack() as stack, selectors.DefaultSelector() as selector:
            for node in self.nodes:
                radio = stack.enter_context(self._radios[node.node])
                selector.register(radio, selectors.EVENT_READ, node)
            while not self._stop.is_set():
                for key, _ in selector.select(0.005):
                    heard = key.fileobj.receive(0.001)  # type: ignore[union-attr]
                    if heard is not None and heard[1][0] >= 0x20:
                        key.data.took(heard[1], time.monotonic())
                        self._patience_s[key.data.node] = PATIENCE_S
                self._speak(time.monotonic())

    def _speak(self, now_s: float) -> None:
        while self._to_make and self._to_make[0][0] <= now_s - self._began_s:
            _, node = self._to_make.pop(0)
            self._send(node, node.new_frame(now_s))
        for node in self.nodes:
            overdue = node.overdue_frame(now_s, self._patience_s[node.node])
            if overdue is not None:
                self._patience_s[node.node] *= 1.5  # what is slow gets no faster by being asked again
                self._send(node, overdue)

    def _send(self, node: LoadNode, frame: bytes) -> None:
        self.frames.append((node.node, frame))
        self._radios[node.node].send(self._target, frame)
