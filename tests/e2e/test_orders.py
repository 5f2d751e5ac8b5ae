"""Configuration and commands, from the operator's words to the node in the street and back."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.cli import app
from derb_gateway.config import Connection
from derb_gateway.mqtt_link import SessionWish, connect
from derb_gateway.orders import OrderBook, orders_path
from derb_tools.board import Cut, CutMode, WakeResult
from gateway.kit import eventually
from typer.testing import CliRunner

from tests.e2e.rig import Rig, planned

TRIES = 4
SPEED = 4  # of the board's clock while it waits for the gateway; it has 4 s of a real clock for a receipt, as others have
FAST = 16  # where nobody will answer
NAMES = ("identify", "self_test", "diagnostics", "recalibrate", "reboot")


class Street(Rig):
    """A rig whose operator types, and who remembers every downlink."""

    @property
    def node(self) -> str:
        return self.nodes[0].id

    def listen(self, speed: int) -> None:
        """Let the board's clock run so many times as fast while it waits for what the gateway may say."""
        self.boards[self.node].network_speed = speed

    def derb(self, *words: str) -> Any:
        """`derb gateway WORDS --config …`, as JSON."""
        done = CliRunner().invoke(app, [*words, "--config", str(self.config)])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    async def wakes(self, count: int = 1, **arguments: Any) -> list[WakeResult]:
        return [await asyncio.to_thread(self.wake, self.node, **arguments) for _ in range(count)]

    async def until(self, true: Callable[[], bool], most: int = 60) -> list[WakeResult]:
        """Wake the node until it is so, and return those wakes. A busy machine may make a connection fail."""
        results: list[WakeResult] = []
        while not true():
            assert len(results) < most, f"{self.shown()}: {results[-1]}"
            results += await self.wakes()
            await asyncio.sleep(0.05)  # for what the gateway heard to be in its book
        return results

    async def until_said(self, words: str) -> list[WakeResult]:
        """Wake the node until it says so."""
        results: list[WakeResult] = []
        while not any(result.said(words) for result in results):
            results += await self.wakes()
            assert len(results) < 60, results[-1]
        return results

    def shown(self) -> Any:
        return self.derb("config", "show", self.node)

    def states(self) -> list[str]:
        """How far each command is."""
        return [command["state"] for command in self.shown()["commands"]]

    def health(self, field: str) -> int:
        """What the gateway knows of the node; -1 when it does not."""
        return int((self.shown()["health"] or {}).get(field, -1))

    def reports(self, field: str, value: int) -> bool:
        return self.health(field) == value


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    node = planned(tmp_path, 1, "level", report_every=1, led_pin=2, awake_ms=4000 * SPEED)
    async with Street(tmp_path, [node]) as rig:
        rig.listen(SPEED)
        await rig.until_said("derb done")
        yield rig
        assert [crash for crash in rig.crashes if "-> reset" not in crash] == []


async def test_a_setting_travels_to_the_node_and_its_word_travels_back(street: Street) -> None:
    assert street.derb("config", "set", street.node, "wake_s=77")["state"] == "waiting"
    results = await street.until(lambda: street.reports("config_version", 1))
    assert street.shown()["config"]["state"] == "in_force"
    assert any("derb config 1" in line for result in results for line in result.log)
    *_, settled = await street.until_said("derb done")
    assert settled.sleep_ms is not None
    assert 70_000 <= settled.sleep_ms <= 77_000


async def test_a_setting_out_of_bounds_with_the_nodes_others_is_refused_and_said(street: Street) -> None:
    street.derb("config", "set", street.node, "empty_mm=200", "wake_s=77")
    await street.until(lambda: street.reports("config_refused", 1))
    assert street.shown()["config"]["state"] == "refused"
    street.derb("config", "set", street.node, "empty_mm=")
    await street.until(lambda: street.reports("config_version", 2))


async def test_a_configuration_that_cuts_the_node_off_is_left_by_itself(street: Street) -> None:
    street.derb("config", "set", street.node, "wake_s=60")
    await street.until(lambda: street.reports("config_version", 1))
    street.derb("config", "set", street.node, "broker=nowhere.derb")
    results = await street.until_said("derb config -2")
    assert sum(result.said("derb failed") and not result.said("derb sent") for result in results) == TRIES
    await street.until(lambda: street.reports("config_refused", 2))
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
        await street.until(lambda version=version: street.reports("config_version", version))  # type: ignore[misc]
    book.close()
    with capsys.disabled():
        print(f"\n  power cut at {cases} writes around a change of configuration")
    assert cases >= 14


async def test_every_command_is_done_once_and_answered(street: Street) -> None:
    for name in NAMES:
        street.derb("command", street.node, name, "--within", "10m")
    results = await street.until(lambda: street.states() == ["done"] * len(NAMES))
    results += await street.wakes(2)
    assert [result.end for result in results].count("reset") == 1
    assert {command["command"] for command in street.shown()["commands"]} == set(NAMES)


async def test_a_command_after_its_deadline_is_not_done(street: Street) -> None:
    asked = street.derb("command", street.node, "reboot", "--within", "1s")
    await asyncio.sleep(1.2)
    *_, result = await street.until_said("derb sent")
    assert result.end == "deepsleep"
    assert street.states() == ["expired"], asked


async def test_a_node_that_stays_awake_takes_orders_as_they_come(street: Street) -> None:
    street.derb("command", street.node, "stay_awake", "--for", "1")
    awake = asyncio.create_task(street.until(lambda: street.states()[0] == "done"))
    await eventually(lambda: street.states() == ["done"])
    street.derb("command", street.node, "diagnostics")
    *_, result = await awake
    assert (result.end, result.awake_ms >= 60_000) == ("deepsleep", True)
    await eventually(lambda: street.states() == ["done", "done"])


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
        for name, version in (("reboot", 1), ("diagnostics", 2)):
            street.derb("config", "set", street.node, f"wake_s={60 + version}")
            street.derb("command", street.node, name)
            await street.until(lambda: set(street.states()) == {"done"})
            await street.until(lambda version=version: street.reports("config_version", version))  # type: ignore[misc]
        recorded = list(ear.heard)
        street.gateway.stop()
        street.listen(FAST)
        rebooted = 0
        changed = bytearray(recorded[-1])
        changed[8] ^= 1
        for payload in [*reversed(recorded), bytes(changed)]:
            ear.say(payload)
            rebooted += "reset" in [result.end for result in await street.until_said("derb sent")]
        street.listen(SPEED)
        street.gateway.start()
        await street.drain()
        street.derb("command", street.node, "diagnostics")
        await street.until(lambda: street.health("orders_stale") >= 2)
    assert rebooted == 0
    assert street.health("config_version") == 2
    assert street.health("downlinks_refused") >= 1
