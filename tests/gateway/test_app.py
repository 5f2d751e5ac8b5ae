"""The daemon as a process: killed, stopped, forced; its broker restarted, its upstream dead."""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from derb_tools.load_node import LoadNode
from gateway.kit import NODE, OTHER, Mosquitto, free_port, listening, wait_until
from gateway.test_registry import NODES, PLACES
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

SEED = 20_261_122
KILLS = 6


class Daemon:
    """`derb gateway run` in a process of its own, started again as often as it takes."""

    all: ClassVar[list["Daemon"]] = []

    def __init__(self, folder: Path, port: int, sinks: str, broker: str = "") -> None:
        self.all.append(self)
        self.folder = folder
        self.config = folder / "gateway.toml"
        (folder / "registry.toml").write_text(NODES + PLACES)
        self.config.write_text(
            f'site = "test"\nregistry = "registry.toml"\nstop_deadline_s = 3.0\n'
            f"[broker]\nport = {port}\nfence_s = 0.2\nretry_base_s = 0.05\nretry_max_s = 0.3\n"
            f"{broker}\n{sinks}"
        )
        self.log = folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "derb_gateway", "run", "--config", str(self.config)],
                stderr=log,
            )

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(20)
        self.process = None
        return code

    def logged(self, message: str) -> int:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return sum(f'"message": "{message}"' in line for line in lines)

    def counters(self) -> Counter[str]:
        try:
            with sqlite3.connect(f"file:{self.folder}/derb.sqlite3?mode=ro", uri=True) as db:
                rows = dict(db.execute("SELECT name, value FROM counter"))
            db.close()
        except sqlite3.Error:
            rows = {}
        return Counter(rows)

    def archived(self) -> Counter[str]:
        """The upstream keys in the file sink, counted."""
        keys: Counter[str] = Counter()
        for path in sorted((self.folder / "out").glob("*.ndjson")):
            keys.update(json.loads(line)["key"] for line in path.read_text().splitlines())
        return keys


ARCHIVE = (
    '[[sink]]\ntype = "file"\nname = "archive"\ndirectory = "out"\nbatch_age_s = 0.1\nrotate_bytes = 20000\n'
)


class Nodes:
    """Two nodes that keep sending until everything they made is confirmed."""

    def __init__(self, port: int) -> None:
        self.lock = threading.Lock()
        keys = {NODE: bytes(range(32)), OTHER: bytes(range(32, 64))}
        self.nodes = {f"d/{node}/d": LoadNode(node, key, 1) for node, key in keys.items()}
        self.client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=True)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe([(topic, 0) for topic in self.nodes])
        self.client.on_message = self._took
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _took(self, _client: Client, _userdata: object, message: object) -> None:
        with self.lock:
            self.nodes[message.topic].took(bytes(message.payload), time.monotonic())  # type: ignore[attr-defined]

    def send(self, *, new: bool = True) -> None:
        for topic, node in self.nodes.items():
            with self.lock:
                again = node.overdue_frame(time.monotonic(), 0.5)
                frames = [
                    frame for frame in (again, node.new_frame(time.monotonic()) if new else None) if frame
                ]
            for frame in frames:
                self.client.publish(topic[:-1] + "u", frame, 1)

    def waiting(self) -> int:
        with self.lock:
            return sum(node.waiting for node in self.nodes.values())

    def keys(self) -> set[str]:
        return set().union(*(node.made_keys() for node in self.nodes.values()))

    def confirmed(self) -> set[str]:
        with self.lock:
            return {key for node in self.nodes.values() for key in node.made_keys()} - {
                f"{node.node}:{node.boot}:{sequence}"
                for node in self.nodes.values()
                for sequence in node._made_s
            }

    def finish(self) -> None:
        def all_confirmed() -> bool:
            self.send(new=False)
            time.sleep(0.05)
            return self.waiting() == 0

        wait_until(all_confirmed, 30)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def _nothing_stays_behind() -> Iterator[None]:
    yield
    for daemon in Daemon.all:
        if daemon.process is not None:
            daemon.end(signal.SIGKILL)
    Daemon.all.clear()


@pytest.fixture
def daemon(tmp_path: Path, broker: Mosquitto) -> Daemon:
    daemon = Daemon(tmp_path, broker.port, ARCHIVE)
    daemon.start()
    return daemon


@pytest.fixture
def nodes(broker: Mosquitto) -> Iterator[Nodes]:
    nodes = Nodes(broker.port)
    yield nodes
    nodes.close()


def send_for(nodes: Nodes, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        nodes.send()
        time.sleep(0.005)


def test_killed_at_random_moments_it_loses_and_doubles_nothing(daemon: Daemon, nodes: Nodes) -> None:
    moments = random.Random(SEED)
    for _ in range(KILLS):
        wait_until(lambda: daemon.process is not None and daemon.logged("connected") > 0)
        send_for(nodes, moments.uniform(0.1, 1.0))
        daemon.end(signal.SIGKILL)
        confirmed = nodes.confirmed()
        stored = stored_keys(daemon)
        assert confirmed <= stored, "a receipt was given for what is not on the disk"
        send_for(nodes, 0.1)
        daemon.start()
    nodes.finish()
    wait_until(lambda: set(daemon.archived()) >= nodes.keys(), 20)
    assert daemon.end(signal.SIGTERM) == 0
    archived = daemon.archived()
    assert set(archived) == nodes.keys()
    assert set(archived.values()) == {1}
    assert len(list((daemon.folder / "out").glob("*.ndjson"))) > 1, "it should have rotated"


def stored_keys(daemon: Daemon) -> set[str]:
    with sqlite3.connect(daemon.folder / "derb.sqlite3") as db:
        rows = db.execute("SELECT node, boot, low, high FROM known").fetchall()
    db.close()
    return {f"{node}:{boot}:{seq}" for node, boot, low, high in rows for seq in range(low, high + 1)}


def test_a_full_disk_holds_back_what_it_cannot_keep_and_mends_itself(daemon: Daemon, nodes: Nodes) -> None:
    """The process may suddenly write no file beyond its size: to SQLite a disk without room, and then one with room."""
    wait_until(lambda: daemon.logged("connected") > 0)
    send_for(nodes, 0.3)
    nodes.finish()
    assert daemon.process is not None
    log_bytes = (daemon.folder / "derb.sqlite3-wal").stat().st_size
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (log_bytes, hard))
    wait_until(lambda: (nodes.send(), daemon.logged("disk refused a batch") > 1)[1])  # type: ignore[func-returns-value]
    stored, waiting = stored_keys(daemon), nodes.waiting()
    assert waiting > 0
    assert nodes.confirmed() <= stored
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    nodes.finish()
    wait_until(lambda: set(daemon.archived()) >= nodes.keys(), 20)
    assert set(daemon.archived().values()) == {1}
    assert daemon.end(signal.SIGTERM) == 0
    with sqlite3.connect(daemon.folder / "derb.sqlite3") as db:
        assert db.execute("SELECT name FROM alarm").fetchall() == [("disk_refused",)]
    db.close()
    assert not list(daemon.folder.glob("*damaged*"))


def test_stopped_under_load_it_ends_cleanly_and_forwards_what_it_has(daemon: Daemon, nodes: Nodes) -> None:
    wait_until(lambda: daemon.logged("connected") > 0)
    send_for(nodes, 1.0)
    assert daemon.end(signal.SIGTERM) == 0
    counters = daemon.counters()
    assert counters["forwarded.archive"] == counters["readings_stored"] > 0
    assert sum(daemon.archived().values()) == counters["readings_stored"]


def test_the_broker_killed_under_load_costs_nothing(daemon: Daemon, nodes: Nodes, broker: Mosquitto) -> None:
    wait_until(lambda: daemon.logged("connected") > 0)
    for _ in range(2):
        send_for(nodes, 0.3)
        broker.stop(kill=True)
        time.sleep(0.2)
        broker.start()
    nodes.finish()
    wait_until(lambda: set(daemon.archived()) >= nodes.keys())
    assert set(daemon.archived().values()) == {1}
    assert daemon.end(signal.SIGINT) == 0


def test_a_dead_upstream_stops_neither_the_intake_nor_the_other_sink(
    tmp_path: Path, broker: Mosquitto, nodes: Nodes
) -> None:
    upstream = Mosquitto(tmp_path / "upstream")
    city = f'[[sink]]\ntype = "mqtt"\nname = "city"\nport = {upstream.port}\n'
    city += "retry_max_s = 0.3\ntimeout_s = 2.0\n"
    daemon = Daemon(tmp_path, broker.port, ARCHIVE + city)
    daemon.start()
    wait_until(lambda: daemon.logged("connected") > 0)
    send_for(nodes, 0.5)
    nodes.finish()
    wait_until(lambda: set(daemon.archived()) == nodes.keys())
    assert daemon.counters()["forwarded.city"] == 0
    assert daemon.logged("sink is away") == 1  # told once, not at every attempt

    upstream.start()
    received: list[dict[str, object]] = []
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, message: received.extend(json.loads(message.payload)["readings"])
    client.connect("127.0.0.1", upstream.port)
    client.loop_start()
    client.subscribe("derb/test/readings", 1)
    wait_until(lambda: {str(reading["key"]) for reading in received} == nodes.keys())
    sequences = [reading["seq"] for reading in received if reading["node"] == NODE]
    assert sequences == sorted(sequences)  # type: ignore[type-var]
    client.disconnect()
    client.loop_stop()
    assert daemon.end(signal.SIGTERM) == 0
    upstream.stop()


def test_a_stop_with_a_dead_upstream_ends_in_time_and_goes_on_later(
    tmp_path: Path, broker: Mosquitto, nodes: Nodes
) -> None:
    city = f'[[sink]]\ntype = "mqtt"\nname = "city"\nport = {free_port()}\n'
    daemon = Daemon(tmp_path, broker.port, city)
    daemon.start()
    wait_until(lambda: daemon.logged("connected") > 0)
    send_for(nodes, 0.2)
    nodes.finish()
    began = time.monotonic()
    assert daemon.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 8
    assert daemon.logged("task did not end in time") == 1


def test_a_second_signal_forces(tmp_path: Path, broker: Mosquitto, nodes: Nodes) -> None:
    city = f'[[sink]]\ntype = "mqtt"\nname = "city"\nport = {free_port()}\n'
    daemon = Daemon(tmp_path, broker.port, city)
    daemon.start()
    wait_until(lambda: daemon.logged("connected") > 0)
    nodes.send()
    nodes.finish()
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGTERM)
    wait_until(lambda: daemon.logged("stopping") == 1)
    assert daemon.end(signal.SIGTERM) == 130


@pytest.mark.parametrize("engine", ["mosquitto", "amqtt"])
def test_a_broker_of_its_own_lives_and_dies_with_it(tmp_path: Path, engine: str) -> None:
    port = free_port()
    daemon = Daemon(tmp_path, port, ARCHIVE, f'manage = true\nengine = "{engine}"\n')
    for ending in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        started = daemon.logged("connected")
        daemon.start()
        wait_until(lambda started=started: daemon.logged("connected") > started)  # type: ignore[misc]
        nodes = Nodes(port)
        nodes.nodes = {topic: LoadNode(n.node, n._key, started + 1) for topic, n in nodes.nodes.items()}
        nodes.send()
        nodes.finish()
        nodes.close()
        daemon.end(ending)
        wait_until(lambda: not listening(port))
    assert daemon.counters()["readings_stored"] == 6


def test_a_broker_of_its_own_that_dies_is_started_again(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, free_port(), ARCHIVE, "manage = true\n")
    daemon.start()
    wait_until(lambda: daemon.logged("connected") == 1)
    started = [json.loads(line) for line in daemon.log.read_text().splitlines() if "broker started" in line]
    os.kill(started[-1]["pid"], signal.SIGKILL)
    wait_until(lambda: daemon.logged("connected") == 2)
    assert daemon.end(signal.SIGTERM) == 0


def test_a_taken_port_is_said_before_anything_runs(tmp_path: Path, broker: Mosquitto) -> None:
    daemon = Daemon(tmp_path, broker.port, ARCHIVE, "manage = true\n")
    daemon.start()
    assert daemon.process is not None
    assert daemon.process.wait(20) == 1
    assert f"port {broker.port}" in daemon.log.read_text()


def test_a_new_registry_is_taken_without_a_restart(daemon: Daemon, nodes: Nodes) -> None:
    path = daemon.folder / "registry.toml"
    path.write_text(PLACES)
    wait_until(lambda: daemon.logged("connected") > 0)
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.logged("registry taken") == 1)
    nodes.send()
    wait_until(lambda: daemon.counters()["refused.unknown_node"] == 2)
    path.write_text("[[node]]\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.logged("registry not taken") == 1)
    path.write_text(NODES + PLACES)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.logged("registry taken") == 2)
    nodes.finish()


def test_a_street_that_runs_fast_has_its_own_time(tmp_path: Path, broker: Mosquitto, nodes: Nodes) -> None:
    daemon = Daemon(tmp_path, broker.port, ARCHIVE)
    now_ms = time.time_ns() // 1_000_000
    clock = [
        "--clock-speed",
        "60",
        "--clock-origin-unix-ms",
        "1000000000000",
        "--clock-origin-real-ms",
        str(now_ms),
    ]
    command = [sys.executable, "-m", "derb_gateway", "run", "--config", str(daemon.config), *clock]
    with daemon.log.open("ab") as log:
        daemon.process = subprocess.Popen(command, stderr=log)
    wait_until(lambda: daemon.logged("connected") > 0)
    nodes.send()
    wait_until(lambda: sum(daemon.archived().values()) == 2)
    (line, _) = (daemon.folder / "out" / "readings-000001.ndjson").read_text().splitlines()
    assert json.loads(line)["observed_at"].startswith("2001-09-09T0")
    assert json.loads(line)["time_quality"] == "exact"
    assert daemon.end(signal.SIGTERM) == 0
