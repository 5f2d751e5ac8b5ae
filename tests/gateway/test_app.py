"""The daemon as a process: killed, stopped, forced; its broker restarted, its upstream dead."""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from derb_tools.load_node import LoadNode
from gateway.daemon import ARCHIVE, Daemon, Nodes
from gateway.kit import DEADLINE_S, NODE, Mosquitto, free_port, listening, wait_until
from gateway.test_registry import NODES, PLACES
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

SEED = 20_261_122
KILLS = 6


@pytest.fixture
def daemon(tmp_path: Path, broker: Mosquitto) -> Daemon:
    daemon = Daemon(tmp_path, broker.port, ARCHIVE)
    daemon.start()
    return daemon


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
    assert daemon.process.wait(DEADLINE_S) == 1
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
