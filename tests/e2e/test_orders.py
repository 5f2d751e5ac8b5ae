"""Configuration and commands, from the operator's words to the node in the street and back."""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.config import Connection
from derb_gateway.mqtt_link import SessionWish, connect
from derb_gateway.orders import OrderBook, orders_path
from derb_tools.board import Cut, CutMode, WakeResult

from tests.e2e.rig import Rig, planned

TRIES = 4


class Street(Rig):
    """A rig whose operator types, and who remembers every downlink."""

    @property
    def node(self) -> str:
        return self.nodes[0].id

    def derb(self, *words: str) -> Any:
        """`derb gateway WORDS --config …`, as JSON."""
        command = [sys.executable, "-m", "derb_gateway", *words, "--config", str(self.config)]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        return json.loads(finished.stdout)

    async def wakes(self, count: int = 1, **arguments: Any) -> list[WakeResult]:
        return [await asyncio.to_thread(self.wake, self.node, **arguments) for _ in range(count)]

    async def until_sent(self) -> list[WakeResult]:
        """Wake the node until it has connected, whatever comes of it."""
        results: list[WakeResult] = []
        while not any(result.said("derb sent") for result in results):
            results += await self.wakes()
            assert len(results) < 20
        return results

    def shown(self) -> Any:
        return self.derb("config", "show", self.node)

    async def health(self, field: str, value: int, within_s: float = 10) -> None:
        """Wait until the gateway's book has this of the node."""
        deadline = time.monotonic() + within_s
        while (self.shown()["health"] or {}).get(field) != value:
            assert time.monotonic() < deadline, self.shown()
            await asyncio.sleep(0.05)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    node = planned(tmp_path, 1, "level", report_every=1, led_pin=2)
    async with Street(tmp_path, [node]) as rig:
        await rig.wakes(2)
        yield rig
        assert [crash for crash in rig.crashes if "-> reset" not in crash] == []


async def test_a_setting_travels_to_the_node_and_its_word_travels_back(street: Street) -> None:
    assert street.derb("config", "set", street.node, "wake_s=77")["state"] == "waiting"
    _, tried, settled = await street.wakes(3)
    await street.health("config_version", 1)
    assert street.shown()["config"]["state"] == "in_force"
    assert any("derb config 1" in line for line in tried.log)
    assert settled.sleep_ms is not None
    assert 70_000 <= settled.sleep_ms <= 77_000


async def test_a_setting_out_of_bounds_with_the_nodes_others_is_refused_and_said(street: Street) -> None:
    street.derb("config", "set", street.node, "empty_mm=200", "wake_s=77")
    await street.wakes(3)
    await street.health("config_refused", 1)
    assert street.shown()["config"]["state"] == "refused"
    street.derb("config", "set", street.node, "empty_mm=")
    await street.wakes(3)
    await street.health("config_version", 2)


async def test_a_configuration_that_cuts_the_node_off_is_left_by_itself(street: Street) -> None:
    street.derb("config", "set", street.node, "wake_s=60")
    await street.wakes(3)
    await street.health("config_version", 1)
    street.derb("config", "set", street.node, "broker=nowhere.derb")
    failed = 0
    for _ in range(40):
        (result,) = await street.wakes()
        failed += result.said("derb failed")
        if result.said("derb config -2"):
            break
    assert failed == TRIES
    for _ in range(10):
        await street.wakes()
        if (street.shown()["health"] or {}).get("config_refused") == 2:
            break
    shown = street.shown()
    assert shown["config"]["state"] == "refused"
    assert shown["health"]["config_version"] == 1
    await street.drain()
    await street.arrived_upstream(len(list(street.ledger.kept())))
    alarms = [
        json.loads(line)
        for path in (street.folder / "forwarded").glob("*")
        for line in path.read_text().splitlines()
    ]
    assert [(r["alarm"], r["value"]) for r in alarms if r["kind"] == "alarm"] == [("config_returned", 2)]


async def test_power_cut_at_every_write_around_a_change_of_configuration(
    street: Street, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is cut, the node speaks again with a whole configuration, and the newest is in force in the end."""
    book = OrderBook(orders_path(street.folder / "derb.sqlite3"))
    cases = version = 0
    modes: tuple[CutMode, ...] = ("before", "torn", "after")
    for stage, mode in itertools.product(("taken", "tried"), modes):
        for at_write in range(1, 9):
            version += 1
            book.set_config(street.node, {"wake_s": 60 + version}, version)
            if stage == "tried":
                await street.wakes()
            (result,) = await street.wakes(cut=Cut(at_write, mode))
            if result.end != "power_cut":
                break
            cases += 1
        await street.wakes(3)
        while (reported := book.reported(street.node)) is None or reported.health[
            "config_version"
        ] != version:
            await street.wakes()
    book.close()
    with capsys.disabled():
        print(f"\n  power cut at {cases} writes around a change of configuration")
    assert cases >= 14


async def test_every_command_is_done_once_and_answered(street: Street) -> None:
    ids = {}
    for name in ("identify", "self_test", "diagnostics", "recalibrate", "reboot"):
        ids[name] = street.derb("command", street.node, name, "--within", "10m")["id"]
    results = await street.wakes(4)
    assert [result.end for result in results].count("reset") == 1
    await asyncio.sleep(0.3)
    states = {command["command"]: command["state"] for command in street.shown()["commands"]}
    assert states == dict.fromkeys(ids, "done")


async def test_a_command_after_its_deadline_is_not_done(street: Street) -> None:
    asked = street.derb("command", street.node, "reboot", "--within", "1s")
    await asyncio.sleep(1.2)
    (result,) = await street.wakes()
    assert result.end == "deepsleep"
    assert street.shown()["commands"][0]["state"] == "expired", asked


async def test_a_node_that_stays_awake_takes_orders_as_they_come(street: Street) -> None:
    street.derb("command", street.node, "stay_awake", "--for", "1")
    waking = asyncio.create_task(street.wakes())
    await asyncio.sleep(2)
    street.derb("command", street.node, "diagnostics")
    (result,) = await asyncio.wait_for(waking, 90)
    assert result.end == "deepsleep"
    await asyncio.sleep(0.3)
    assert [command["state"] for command in street.shown()["commands"]] == ["done", "done"]


class Ear:
    """Hears what the gateway says to a node, and can say it again."""

    def __init__(self, port: int, node: str) -> None:
        self.heard: list[bytes] = []
        self._connection = Connection(port=port)
        self._topic = f"d/{node}/d"

    async def __aenter__(self) -> "Ear":
        self._context = connect(
            self._connection,
            "ear",
            SessionWish(5, True),
            lambda _, message: self.heard.append(bytes(message.payload)),
        )
        self.link = await self._context.__aenter__()
        await self.link.subscribe(self._topic)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._context.__aexit__(None, None, None)

    def say(self, payload: bytes) -> None:
        assert self.link.publish_all([(self._topic, payload)], retain=True)


async def test_recorded_orders_are_refused_and_counted(street: Street) -> None:
    """Old configuration, old command, another node's, a changed byte, in the other order: nothing is done."""
    async with Ear(street.ports.street, street.node) as ear:
        street.derb("config", "set", street.node, "wake_s=61")
        street.derb("command", street.node, "reboot")
        await street.wakes(1)
        await street.wakes(3)
        street.derb("config", "set", street.node, "wake_s=62")
        street.derb("command", street.node, "diagnostics")
        await street.wakes(4)
        await street.health("config_version", 2)
        recorded = list(ear.heard)
        street.gateway.stop()
        rebooted = 0
        changed = bytearray(recorded[-1])
        changed[8] ^= 1
        for payload in [*reversed(recorded), bytes(changed)]:
            ear.say(payload)
            rebooted += "reset" in [result.end for result in await street.until_sent()]
        street.gateway.start()
        await street.drain()
        street.derb("command", street.node, "diagnostics")
        await street.wakes(3)
    assert rebooted == 0
    fields = street.shown()["health"]
    assert fields["config_version"] == 2
    assert fields["orders_stale"] >= 2
    assert fields["downlinks_refused"] >= 1
