"""A broker and nodes for tests of the whole gateway; what they start does not outlive them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.daemon import Daemon, Nodes
from gateway.kit import Mosquitto


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
def nodes(broker: Mosquitto) -> Iterator[Nodes]:
    nodes = Nodes(broker.port)
    yield nodes
    nodes.close()
