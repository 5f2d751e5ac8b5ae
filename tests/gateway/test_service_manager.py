"""systemd is told the truth: ready when ready, alive only with progress, in words what is in the way."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from derb_gateway.service_manager import ServiceManager
from gateway.daemon import Daemon, Nodes
from gateway.kit import Mosquitto, wait_until
from gateway.test_http_door_of_a_gateway import HANGS


class Supervisor:
    """What systemd is to the gateway: a socket that listens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def hear(self) -> list[str]:
        """Return all that was said so far."""
        while True:
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return self.heard

    def new(self) -> list[str]:
        """Return what was said since the last time."""
        self.heard.clear()
        return list(self.hear())


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "notify")
    yield supervisor
    supervisor.socket.close()


class Fares:
    """How a gateway fares, as a test wants it."""

    def __init__(self) -> None:
        self.in_the_way = ["not connected"]
        self.stuck: list[str] = []
        self.liveness = SimpleNamespace(probes=0, is_replacing=lambda: self.replacing)
        self.replacing = False

    def obstacles(self) -> list[str]:
        return self.in_the_way

    def stalls(self) -> list[str]:
        return self.stuck


@pytest.fixture
def fares() -> Fares:
    return Fares()


@pytest.fixture
def manager(supervisor: Supervisor) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": str(supervisor.path), "WATCHDOG_USEC": "6000000"})


def test_ready_is_said_once_and_not_before_it_is_so(
    supervisor: Supervisor, manager: ServiceManager, fares: Fares
) -> None:
    manager.look(fares)  # type: ignore[arg-type]
    assert supervisor.new() == ["STATUS=waiting: not connected"]
    fares.in_the_way = []
    manager.look(fares)  # type: ignore[arg-type]
    manager.look(fares)  # type: ignore[arg-type]
    assert supervisor.new() == ["READY=1", "STATUS=taking readings"]


def test_the_watchdog_is_fed_by_progress_alone(
    supervisor: Supervisor, manager: ServiceManager, fares: Fares
) -> None:
    def fed() -> bool:
        manager.look(fares)  # type: ignore[arg-type]
        return "WATCHDOG=1" in supervisor.new()

    assert not fed()
    fares.liveness.probes = 1
    assert fed()
    assert not fed()  # nothing got on since
    fares.liveness.probes, fares.stuck = 2, ["intake"]
    assert not fed()
    fares.stuck = []
    assert fed()
    fares.replacing = True
    assert fed()
    assert fed()


def test_it_looks_three_times_before_the_watchdog_loses_patience(manager: ServiceManager) -> None:
    assert manager.look_s == 2
    assert ServiceManager({"WATCHDOG_USEC": "90000000"}).look_s == 5
    assert ServiceManager({}).look_s == 5


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": str(os.getpid() + 1)}],
)
def test_without_a_watchdog_of_ours_none_is_fed(
    supervisor: Supervisor, fares: Fares, environ: dict[str, str]
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": str(supervisor.path), **environ})
    fares.liveness.probes = 1
    manager.look(fares)  # type: ignore[arg-type]
    assert supervisor.new() == ["STATUS=waiting: not connected"]


def test_reloading_is_framed_and_stopping_is_said(
    supervisor: Supervisor, manager: ServiceManager, fares: Fares
) -> None:
    manager.reloading()  # not ready yet: nothing to say
    fares.in_the_way = []
    manager.look(fares)  # type: ignore[arg-type]
    supervisor.new()
    manager.reloading()
    manager.reloaded()
    manager.stopping()
    first, *rest = supervisor.new()
    assert first.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert rest == ["READY=1", "STOPPING=1"]


def test_nobody_is_told_where_nobody_listens(fares: Fares, tmp_path: Path) -> None:
    assert not ServiceManager({}).listens
    ServiceManager({}).look(fares)  # type: ignore[arg-type]
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).look(fares)  # type: ignore[arg-type]


def test_a_whole_life_under_a_supervisor(tmp_path: Path, broker: Mosquitto, supervisor: Supervisor) -> None:
    broker.stop()
    daemon, hang = Daemon(tmp_path, broker.port, ""), tmp_path / "hang"
    daemon.config.write_text("stall_after_s = 1.0\n" + daemon.config.read_text())
    environ = {**os.environ, "NOTIFY_SOCKET": str(supervisor.path), "WATCHDOG_USEC": "600000"}
    command = [sys.executable, "-W", "error", "-c", HANGS, str(hang), "run", "--config", str(daemon.config)]
    with daemon.log.open("ab") as log:
        daemon.process = subprocess.Popen(command, stderr=log, env=environ)

    wait_until(lambda: any(said.startswith("STATUS=waiting") for said in supervisor.hear()))
    wait_until(lambda: supervisor.hear().count("WATCHDOG=1") > 2)  # it lives, though it is not ready
    assert "READY=1" not in supervisor.hear()
    broker.start()
    wait_until(lambda: "READY=1" in supervisor.hear())

    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: any(said.startswith("RELOADING=1") for said in supervisor.hear()))
    wait_until(lambda: supervisor.hear().count("READY=1") == 2)

    hang.touch()
    nodes = Nodes(broker.port)
    nodes.send()
    wait_until(lambda: any("has been at one step" in said for said in supervisor.hear()))
    fed = supervisor.hear().count("WATCHDOG=1")
    with pytest.raises(AssertionError, match="did not come true"):
        wait_until(lambda: supervisor.hear().count("WATCHDOG=1") > fed, 1.0)  # five times as long as it looks
    hang.unlink()
    wait_until(lambda: supervisor.hear().count("WATCHDOG=1") > fed)
    nodes.finish()
    nodes.close()

    assert daemon.end(signal.SIGTERM) == 0
    assert "STOPPING=1" in supervisor.hear()
