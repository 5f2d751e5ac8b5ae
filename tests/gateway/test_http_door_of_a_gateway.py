"""The whole gateway tells the truth about itself: a hung writer, a broker that is away, a disk that takes nothing."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from gateway.daemon import Daemon, Nodes
from gateway.kit import DEADLINE_S, Mosquitto, free_port, wait_until

# A gateway whose writer hangs, for as long as a file is there, at a write that each commit does.
HANGS = """
import sys, time
from pathlib import Path
from derb_gateway.store import Store
hang = Path(sys.argv.pop(1))
count = Store.count
def hanging(self, by):
    while hang.exists():
        time.sleep(0.01)
    count(self, by)
Store.count = hanging
from derb_gateway.cli import app
app()
"""


class Watched(Daemon):
    """A gateway with its door open."""

    def __init__(self, folder: Path, port: int) -> None:
        self.http_port = free_port()
        super().__init__(folder, port, f"[http]\nport = {self.http_port}\n")
        self.hang = folder / "hang"
        self.config.write_text("stall_after_s = 1.0\n" + self.config.read_text())

    def start(self) -> None:
        command = [sys.executable, "-W", "error", "-c", HANGS, str(self.hang), "run"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, "--config", str(self.config)], stderr=log)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.http_port}/{path}", timeout=10)

    def why_not(self, path: str) -> list[str] | None:
        """What it says is in the way; None if it does not answer."""
        try:
            answer = self.get(path)
        except httpx.TransportError:
            return None
        why_not = answer.json()["why_not"]
        assert answer.status_code == (503 if why_not else 200)
        return [str(why) for why in why_not]

    def is_ready(self) -> bool:
        return self.why_not("readyz") == []


@pytest.fixture
def watched(tmp_path: Path, broker: Mosquitto) -> Watched:
    watched = Watched(tmp_path, broker.port)
    watched.start()
    wait_until(watched.is_ready)
    return watched


def test_a_hung_writer_is_neither_alive_nor_ready_until_it_goes_on(watched: Watched, nodes: Nodes) -> None:
    watched.hang.touch()
    nodes.send()
    wait_until(lambda: watched.why_not("healthz") not in ([], None))
    assert any("has been at one step for" in why for why in watched.why_not("readyz") or [])
    assert "derb_alive 0.0" in watched.get("metrics").text
    watched.hang.unlink()
    wait_until(lambda: watched.why_not("healthz") == [] and watched.is_ready())
    nodes.finish()


def test_a_broker_that_is_away_leaves_it_alive_and_not_ready(watched: Watched, broker: Mosquitto) -> None:
    broker.stop(kill=True)
    wait_until(lambda: watched.why_not("readyz") not in ([], None))
    (why,) = watched.why_not("readyz") or []
    assert why.startswith("not connected to the street's broker")
    assert watched.why_not("healthz") == []
    broker.start()
    wait_until(watched.is_ready)
    assert "derb_broker_connected 1.0" in watched.get("metrics").text


def test_a_disk_that_takes_nothing_leaves_it_alive_and_not_ready(watched: Watched, nodes: Nodes) -> None:
    """The process may write no file beyond its size, which is to SQLite a disk that turned read-only or full."""
    assert watched.process is not None
    log_bytes = (watched.folder / "derb.sqlite3-wal").stat().st_size
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.prlimit(watched.process.pid, resource.RLIMIT_FSIZE, (log_bytes, hard))
    wait_until(lambda: (nodes.send(), watched.why_not("readyz") not in ([], None))[1])  # type: ignore[func-returns-value]
    assert any("the store took nothing" in why for why in watched.why_not("readyz") or [])
    assert watched.why_not("healthz") == []
    resource.prlimit(watched.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    nodes.finish()
    wait_until(watched.is_ready)


def test_what_came_is_in_the_metrics(watched: Watched, nodes: Nodes) -> None:
    nodes.send()
    nodes.finish()
    text = watched.get("metrics").text
    for line in (
        "derb_readings_stored_total 2.0",
        'derb_nodes_heard{when="ever"} 2.0',
        "derb_nodes_registered 2.0",
        "derb_store_readable 1.0",
        "derb_ready 1.0",
    ):
        assert line in text
    assert 'derb_receipt_seconds_bucket{le="+Inf"} 0.0' not in text
    assert watched.end(signal.SIGTERM) == 0


def test_a_taken_port_is_said_before_anything_runs(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Daemon(tmp_path / "other", 1883, f"[http]\nport = {watched.http_port}\n")
    other.start()
    assert other.process is not None
    assert other.process.wait(DEADLINE_S) == 2
    assert "http.bind, http.port: cannot listen" in other.log.read_text()
    assert not (other.folder / "derb.sqlite3").exists()
