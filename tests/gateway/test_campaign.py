"""A campaign goes from wave to wave, stops when too many fail, and never orders twice, whatever is restarted."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.alarms import standing
from derb_gateway.campaign import CampaignState, Member, NodeState, Plan, in_order, parse_waves, wave_of
from derb_gateway.campaign_alarm import CampaignAlarm
from derb_gateway.campaign_book import campaign_json, change, start
from derb_gateway.campaign_cli import fitting_nodes
from derb_gateway.campaign_driver import CampaignDriver
from derb_gateway.cli import app
from derb_gateway.errors import ConfigError
from derb_gateway.orders import OrderBook
from derb_gateway.orders_rows import Report
from derb_gateway.readings import Answer, Health
from derb_gateway.registry import parse_registry
from derb_gateway.releases import Release
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from gateway.kit import NODE, OTHER, StillClock, eventually
from gateway.test_cli import write
from gateway.test_registry import NODES as NODES_TOML
from gateway.test_registry import PLACES
from gateway.test_releases import release
from typer.testing import CliRunner

VERSION = 203
NODES = [f"{0xAA0000000000 + n:012x}" for n in range(40)]
PLAN = Plan(VERSION, parse_waves("1,5%,25%,all", len(NODES)), 10, 3400, 3_600)
_sequence = itertools.count()


async def followed(_: object) -> None:
    """Nobody asks how it stands."""


class Fleet:
    """Nodes that do what they are told when a test says so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = StillClock()
        self.registered = set(NODES)
        self.restart()

    def restart(self) -> None:
        self.book = OrderBook(self.path)
        self.driver = CampaignDriver(self.book, self.clock, lambda: self.registered, followed)

    def says(self, *nodes: str, battery_mv: int = 3900, **fields: int) -> None:
        health = Health((("battery_mv", battery_mv), *fields.items()))
        self.book.heard([Report(node, 1, next(_sequence), health, self.clock.now_ms) for node in nodes])

    def begin(self, plan: Plan = PLAN) -> None:
        self.says(*NODES, firmware_version=100)
        places = enumerate(in_order(NODES, VERSION, {}))
        members = [Member(node, wave_of(place, plan.waves), NodeState.WAITING) for place, node in places]
        start(self.book, plan, members, self.clock.now_ms)
        self.driver.step()

    def step(self, seconds: float = 10) -> None:
        self.clock.pass_s(seconds)
        self.driver.step()

    def nodes(self, *states: str) -> list[str]:
        told = self.told()["nodes"]
        return [node for node, each in told.items() if each["state"] in states]

    def told(self) -> dict[str, Any]:
        told = campaign_json(self.book)
        assert told is not None
        return told

    def ordered(self) -> list[str]:
        """The nodes that an open order is out to."""
        open_ = [
            node
            for node in NODES
            for each in self.book.commands(node)
            if each.state(self.clock.now_ms) == "waiting"
        ]
        assert len(open_) == len(set(open_)), "two at once"
        return open_

    def answers(self, node: str, result: str, value: int = 0) -> None:
        order = self.book.commands(node)[-1]
        self.book.heard(
            [Report(node, 1, next(_sequence), Answer(order.id, result, value), self.clock.now_ms)]
        )

    def all_update(self) -> None:
        for node in self.ordered():
            self.answers(node, "done")
            self.says(node, firmware_version=VERSION, update_version=VERSION, update_state=3)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path / "orders.sqlite3")
    yield fleet
    fleet.book.close()


def test_waves_are_numbers_that_rise_to_all() -> None:
    assert parse_waves("1,5%,25%,all", 1000) == (1, 50, 250, 1000)
    assert parse_waves("1,5%,25%,all", 3) == (1, 3)
    assert parse_waves("10%", 25) == (3, 25)
    for wrong in ("", "0", "5%,1", "101%", "half", "1;2"):
        with pytest.raises(ConfigError, match="--waves"):
            parse_waves(wrong, 1000)


def test_wave_by_wave_to_the_end_with_a_restart_at_every_step(fleet: Fleet) -> None:
    fleet.begin()
    sizes = []
    for _ in range(4):
        sizes.append(len(fleet.ordered()))
        fleet.book.close()
        fleet.restart()
        fleet.step()
        assert len(fleet.ordered()) == sizes[-1], "nothing goes on before they have answered"
        fleet.all_update()
        fleet.step()
        fleet.step()
    assert sizes == [1, 1, 8, 30]
    assert fleet.told()["state"] == "done"
    assert len(fleet.nodes("updated")) == len(NODES)
    assert all(len(fleet.book.commands(node)) == 1 for node in NODES)


@pytest.mark.parametrize(
    ("result", "value", "fields"),
    [
        ("failed", 4, {}),
        ("refused", 0, {}),
        ("started", 0, {"update_version": VERSION, "update_state": 4}),
        ("started", 0, {"update_version": VERSION, "update_state": 21}),
    ],
)
def test_a_failure_or_a_return_in_the_first_wave_stops_it(
    fleet: Fleet, result: str, value: int, fields: dict[str, int]
) -> None:
    fleet.begin()
    (first,) = fleet.ordered()
    fleet.answers(first, result, value)
    fleet.clock.pass_s(60)
    fleet.says(first, firmware_version=100, **fields)
    fleet.step()
    assert fleet.told()["state"] == "stopped"
    assert fleet.nodes("failed") == [first]
    assert "1 of 1 of this wave" in fleet.told()["why"]
    assert fleet.ordered() == []


async def test_one_that_stopped_raises_an_alarm_once_through_restarts_until_it_is_decided(
    fleet: Fleet, tmp_path: Path
) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    writer = Writer(store, lambda: None)

    async def stands_after_a_start() -> list[tuple[str, int]]:
        alarm = CampaignAlarm(writer, fleet.clock)
        for _ in range(2):
            await alarm.follow(fleet.driver.step())
        return await writer.do(lambda store: [(alarm.name, alarm.times) for alarm in standing(store.db)])

    fleet.begin()
    assert await stands_after_a_start() == []
    (first,) = fleet.ordered()
    fleet.answers(first, "failed", 4)
    for _ in range(2):
        assert await stands_after_a_start() == [("campaign_stopped", 1)]
    (alarm,) = standing(store.db)
    assert alarm.detail == "campaign 1 to 0.2.3, wave 1: " + fleet.told()["why"]
    change(fleet.book, CampaignState.RUNNING, fleet.clock.now_ms)
    assert await stands_after_a_start() == []
    writer.close()
    store.close()


def test_silent_nodes_count_as_failures_and_orders_are_taken_back(fleet: Fleet) -> None:
    fleet.begin()
    for _ in range(2):
        fleet.all_update()
        fleet.step()
        fleet.step()
    wave = fleet.ordered()
    assert len(wave) == 8
    fleet.answers(wave[0], "done")
    fleet.answers(wave[1], "started")
    fleet.step(3_601)
    assert fleet.told()["state"] == "stopped"
    assert fleet.told()["counts"]["silent"] == 7
    fleet.step()
    assert fleet.ordered() == []


def test_it_is_resumed_without_the_failures_and_those_taken_back_get_their_turn(fleet: Fleet) -> None:
    fleet.begin(PLAN._replace(waves=(20, 40), stop_pct=5))
    first, second, *_ = fleet.ordered()
    fleet.answers(first, "failed", 4)
    fleet.answers(second, "started")
    fleet.step()
    assert fleet.told()["state"] == "stopped"
    assert fleet.nodes("ordered") == [second]
    assert fleet.told()["counts"]["waiting"] == 38
    change(fleet.book, CampaignState.RUNNING, fleet.clock.now_ms)
    fleet.step()
    assert fleet.told()["state"] == "running"
    assert fleet.nodes("left_out") == [first]
    assert len(fleet.ordered()) == 18


def test_a_low_battery_waits_and_is_left_out_in_the_end(fleet: Fleet) -> None:
    fleet.begin(PLAN._replace(waves=(40,)))
    change(fleet.book, CampaignState.ABORTED, fleet.clock.now_ms)
    fleet.says(NODES[0], battery_mv=3399, firmware_version=100)
    fleet.says(NODES[1], firmware_version=VERSION)
    fleet.book.add_command(NODES[2], "update", 100, fleet.clock.now_ms + 7_200_000, fleet.clock.now_ms)
    fleet.registered -= {NODES[3]}
    start(
        fleet.book,
        PLAN._replace(waves=(4,)),
        [Member(node, 0, NodeState.WAITING) for node in NODES[:4]],
        fleet.clock.now_ms,
    )
    fleet.step()
    told = fleet.told()["nodes"]
    assert (told[NODES[0]]["state"], told[NODES[0]]["why"]) == ("waiting", "its battery is low (3399 mV)")
    assert (told[NODES[1]]["state"], told[NODES[3]]["state"]) == ("updated", "left_out")
    assert told[NODES[2]]["why"].startswith("it has another update")
    fleet.step(3_601)
    assert (fleet.nodes("left_out"), fleet.told()["state"]) == ([NODES[0], *NODES[2:4]], "done")


def test_a_node_that_fell_silent_before_its_turn_is_not_waited_for(fleet: Fleet) -> None:
    fleet.says(NODES[0], firmware_version=100)
    fleet.clock.pass_s(2 * 86_400 + 1)
    fleet.says(NODES[1], firmware_version=100)
    members = [Member(node, 0, NodeState.WAITING) for node in NODES[:3]]
    start(fleet.book, PLAN._replace(waves=(3,)), members, fleet.clock.now_ms)
    fleet.step()
    told = fleet.told()["nodes"]
    assert [told[node]["state"] for node in NODES[:3]] == ["left_out", "ordered", "waiting"]


async def test_a_campaign_that_cannot_be_read_does_not_end_the_gateway(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.begin()
    with fleet.book.transaction() as db:
        db.execute("UPDATE campaign SET plan = 'x'")
    task = asyncio.create_task(fleet.driver.run())
    await eventually(lambda: "campaign not led on" in caplog.text)
    assert not task.done()
    task.cancel()


def test_paused_resumed_aborted(fleet: Fleet) -> None:
    fleet.begin()
    change(fleet.book, CampaignState.PAUSED, fleet.clock.now_ms)
    fleet.all_update()
    fleet.step()
    assert (fleet.ordered(), fleet.told()["counts"]["updated"]) == ([], 1)
    with pytest.raises(ConfigError, match="cannot be paused"):
        change(fleet.book, CampaignState.PAUSED, fleet.clock.now_ms)
    with pytest.raises(ConfigError, match="abort"):
        fleet.begin()
    change(fleet.book, CampaignState.RUNNING, fleet.clock.now_ms)
    fleet.step()
    fleet.step()
    assert len(fleet.ordered()) == 1
    change(fleet.book, CampaignState.ABORTED, fleet.clock.now_ms)
    fleet.step()
    assert (fleet.ordered(), fleet.told()["state"]) == ([], "aborted")


def test_a_node_on_trial_has_not_got_it_yet(fleet: Fleet) -> None:
    fleet.begin()
    (first,) = fleet.ordered()
    fleet.answers(first, "started")
    fleet.says(first, firmware_version=VERSION, update_version=VERSION, update_state=2)
    fleet.step()
    assert fleet.nodes("ordered") == [first]


def test_a_release_is_for_its_board_and_for_nodes_whose_board_nobody_noted(tmp_path: Path) -> None:
    def meant(board: str) -> list[str]:
        return fitting_nodes(read, Release(VERSION, 6, board, (), 0), None, {NODE, OTHER})

    text = (NODES_TOML + PLACES).replace('bay = "b1"', 'bay = "b1"\nboard = "devkitc"', 1)
    read = parse_registry(text, Path("registry.toml"))
    assert meant("*") == meant("devkitc") == [NODE, OTHER]
    assert meant("xiao") == [OTHER]


def test_from_the_command_line(tmp_path: Path) -> None:
    config = write(tmp_path)
    runner = CliRunner()

    def derb(*words: str, code: int = 0) -> str:
        result = runner.invoke(app, ["campaign", *words, "--config", config])
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    assert "never was" in derb("status")
    assert "there is no campaign" in derb("pause", code=2)
    (tmp_path / "new.derb").write_bytes(release())
    assert "no node of the registry" in derb("start", str(tmp_path / "new.derb"), "--zone", "agdal", code=2)
    told = json.loads(derb("start", str(tmp_path / "new.derb"), "--waves", "1,all"))
    assert (told["state"], told["version"], told["waves"]) == ("running", "0.2.3", [1, 2])
    assert told["nodes"].keys() == {NODE, OTHER}
    assert "wave 1 of 2: 2 waiting" in derb("status")
    Store(tmp_path / "derb.sqlite3").close()
    status = json.loads(runner.invoke(app, ["status", "--json", "--config", config]).stdout)
    assert (status["campaign"]["state"], status["campaign"]["counts"]["waiting"]) == ("running", 2)
    assert "paused" in derb("pause")
    assert json.loads(derb("status", "--json"))["state"] == "paused"
    assert "aborted" in derb("abort")
