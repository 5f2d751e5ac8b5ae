"""Two gateways at one broker, each with nodes of its own: one is killed, and no reading is lost, doubled or out of order."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_tools.load_node import LoadNode

from tests.e2e.fault_rig import Fleet
from tests.e2e.rig import Process
from tests.gateway.kit import Mosquitto, eventually

NODES, PER_S = 20, 200.0


class Half:
    """One of the two, and what its files hold."""

    def __init__(self, folder: Path, port: int, nodes: list[LoadNode]) -> None:
        folder.mkdir()
        self.nodes, self._folder, self._log = nodes, folder, folder / "gateway.log"
        config = folder / "gateway.toml"
        tables = [f'[[node]]\nid = "{node.node}"\nkey = "{node._key.hex()}"\n' for node in nodes]
        (folder / "registry.toml").write_text("".join(tables))
        config.write_text(
            f'site = "two"\nregistry = "registry.toml"\n[broker]\nport = {port}\n'
            f"only_registered = true\nfence_s = 0.2\nretry_base_s = 0.1\nretry_max_s = 0.5\n"
            f'[[sink]]\ntype = "file"\nname = "files"\ndirectory = "out"\nbatch_age_s = 0.1\n'
        )
        command = [sys.executable, "-m", "derb_gateway", "run", "--config", str(config)]
        self.process = Process(command, self._log)

    def connections(self) -> int:
        return self._log.read_text().count('"connected"') if self._log.exists() else 0

    def made(self) -> set[str]:
        return set().union(*(node.made_keys() for node in self.nodes))

    def keys(self) -> list[str]:
        """What stands in the files, in their order; the last line may be half written."""
        files = sorted((self._folder / "out").glob("*.ndjson"))
        lines = (line for path in files for line in path.read_text().splitlines(keepends=True))
        return [json.loads(line)["key"] for line in lines if line.endswith("\n")]


@pytest.fixture
def street(tmp_path: Path) -> Iterator[tuple[Mosquitto, list[Half]]]:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    nodes = [LoadNode(f"de4b{i:08x}", bytes([i]) * 32, int(time.time())) for i in range(1, NODES + 1)]
    halves = [Half(tmp_path / name, broker.port, nodes[at::2]) for at, name in enumerate(("even", "odd"))]
    yield broker, halves
    for half in halves:
        half.process.kill()
    broker.stop(kill=True)


async def test_each_node_is_heard_by_its_own_gateway_in_order_and_once_though_one_is_killed(
    street: tuple[Mosquitto, list[Half]],
) -> None:
    broker, (killed, other) = street
    for half in (killed, other):
        half.process.start()
    await eventually(lambda: killed.connections() == other.connections() == 1, 60)
    fleet = Fleet([*killed.nodes, *other.nodes], broker.port, PER_S)
    making = asyncio.create_task(fleet.run())
    await eventually(lambda: len(killed.keys()) > 50)
    killed.process.kill()
    before = len(other.keys())
    await eventually(lambda: len(other.keys()) > before + 50)  # it does not mind
    killed.process.start()
    await eventually(lambda: killed.connections() == 2, 60)
    fleet.paused = True
    await eventually(fleet.receipted, 60)
    making.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await making
    fleet.close()
    for half in (killed, other):
        await eventually(lambda half=half: len(half.keys()) >= len(half.made()))  # type: ignore[misc]
        assert half.process.stop() == 0
        keys = half.keys()
        assert len(keys) == len(set(keys))
        assert set(keys) == half.made()
        for node in half.nodes:
            heard = [int(key.rpartition(":")[2]) for key in keys if key.startswith(node.node)]
            assert heard == sorted(heard)
