"""A gateway that runs while its registry is changed: waiting nodes, closed bays, replaced nodes, updates in waves."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.cli import app
from derb_gateway.config import load_config
from typer.testing import CliRunner

from tests.e2e.wire_fleet import WireFleet
from tests.gateway.daemon import ARCHIVE, Daemon
from tests.gateway.kit import KEY, NODE, OTHER, OTHER_KEY, Mosquitto, free_port, mosquitto, wait_until
from tests.gateway.test_releases import release

NEW, NEW_KEY = "7cdfa1000002", bytes(range(64, 96))
SPEED = 30


class Site(Daemon):
    """A gateway, and what its operator types."""

    def cli(self, *words: str, typed: str | None = None) -> str:
        result = CliRunner().invoke(app, [*words, "--config", str(self.config)], input=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def forwarded(self) -> list[dict[str, Any]]:
        """What the file sink has, in order; the last line may be half written."""
        lines = [
            line
            for path in sorted((self.folder / "out").glob("*.ndjson"))
            for line in path.read_text().splitlines(keepends=True)
        ]
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def states(self, bay: str = "b1") -> list[str]:
        return [each["state"] for each in self.forwarded() if each.get("bay") == bay and "state" in each]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "mosquitto") as running:
        yield running


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """It does not outlive its test."""
    try:
        yield site
    finally:
        if site.process is not None:
            site.process.kill()
            site.process.wait()


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Iterator[Site]:
    with running(Site(tmp_path, broker.port, ARCHIVE)) as site:
        yield site


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[Site]:
    """With a broker of its own."""
    with running(Site(tmp_path, free_port(), ARCHIVE, "manage = true\n")) as site:
        yield site


def test_a_stranger_is_let_in_a_bay_is_closed_and_a_node_replaced_while_the_gateway_runs(
    managed: Site,
) -> None:
    site, rights = managed, managed.folder / "broker" / "nodes.acl"
    site.start()
    wait_until(lambda: site.logged("connected") > 0)
    fleet = WireFleet(load_config(site.config).broker.port, {NODE: KEY, NEW: NEW_KEY})
    old, new = fleet.nodes[NODE], fleet.nodes[NEW]
    try:
        old.parks("free")
        new.health()
        wait_until(lambda: NEW in json.loads(site.cli("registry", "waiting", "--json")))
        site.cli("registry", "accept", NEW, "--key-file", "-", typed=NEW_KEY.hex())
        wait_until(lambda: any(each["node"] == NEW for each in site.forwarded()))

        site.cli("registry", "close", "b1", "--why", "works")
        wait_until(lambda: site.states() == ["free", "closed"])
        old.parks("occupied")
        wait_until(lambda: site.states() == ["free", "closed", "closed"])
        site.cli("registry", "open", "b1")
        wait_until(lambda: site.states()[3:] == ["occupied"])

        site.cli("registry", "replace", NODE, NEW, "--grace", "1s")
        assert f"user {NODE}\n" in rights.read_text()
        wait_until(lambda: site.logged("keys revoked") == 1)
        assert f"user {NODE}\n" not in rights.read_text()
        assert f"user {NEW}\n" in rights.read_text()
        wait_until(lambda: site.states()[4:] == ["unknown"])  # the new node has not seen the bay yet
        new.parks("free")
        wait_until(lambda: site.states()[5:] == ["free"])
        old.parks("occupied")
        wait_until(lambda: site.counters()["refused.key_revoked"] == 1)
    finally:
        fleet.close()
    keys = [each["key"] for each in site.forwarded()]
    assert len(keys) == len(set(keys))
    assert site.forwarded()[-1]["node"] == NEW
    assert site.end(signal.SIGTERM) == 0


def test_a_campaign_goes_through_the_fleet_though_the_gateway_is_killed(
    site: Site, broker: Mosquitto
) -> None:
    keys = {f"{0xAA0000000000 + n:012x}": bytes([n]) * 32 for n in range(1, 11)} | {
        NODE: KEY,
        OTHER: OTHER_KEY,
    }
    more = "".join(
        f'[[node]]\nid = "{node}"\nkey = "{key.hex()}"\n' for node, key in keys.items() if node[:2] == "aa"
    )
    (site.folder / "registry.toml").write_text((site.folder / "registry.toml").read_text() + more)
    now_ms = time.time_ns() // 1_000_000
    fast = (
        "--clock-speed",
        str(SPEED),
        "--clock-origin-unix-ms",
        str(now_ms),
        "--clock-origin-real-ms",
        str(now_ms),
    )
    site.start(*fast)
    wait_until(lambda: site.logged("connected") > 0)
    fleet = WireFleet(broker.port, keys)

    def speak() -> None:
        for node in fleet.nodes.values():
            node.health()
        time.sleep(0.1)

    def campaign() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(site.cli("campaign", "status", "--json"))
        return told

    def until(*states: str) -> None:
        deadline_s = time.monotonic() + 30
        while campaign()["state"] not in states:
            assert time.monotonic() < deadline_s, campaign()
            speak()

    try:
        speak()
        (site.folder / "new.derb").write_bytes(release())
        wait_until(lambda: site.counters()["readings_stored"] >= len(keys))
        site.cli("campaign", "start", str(site.folder / "new.derb"), "--waves", "1,4,all", "--stop-at", "20")
        while campaign()["wave"] < 2:
            speak()
        site.end(signal.SIGKILL)
        site.start(*fast)
        until("done")
        assert campaign()["counts"]["updated"] == len(keys)
        assert [node.updates for node in fleet.nodes.values()] == [1] * len(keys)

        for node in fleet.nodes.values():
            node.works = False
        (site.folder / "bad.derb").write_bytes(release(204))
        site.cli("campaign", "start", str(site.folder / "bad.derb"), "--waves", "1,4,all", "--stop-at", "20")
        until("stopped")
        assert campaign()["counts"]["failed"] == 1
        assert sum(len(node.orders) for node in fleet.nodes.values()) == len(keys) + 1
    finally:
        fleet.close()
    assert site.end(signal.SIGTERM) == 0
