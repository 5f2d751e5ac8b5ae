"""An update in the street: the real firmware, signed, fetched over MQTT, tried, kept; or left, and the old one is back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from derb_gateway.campaign import Member, NodeState, Plan
from derb_gateway.campaign_book import campaign_json, start
from derb_gateway.campaign_driver import CampaignDriver
from derb_gateway.clock import Clock
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.releases import Releases, releases_path
from derb_tools.board import Battery, Cut, CutMode, WakeResult
from derb_tools.board.nvs import write_nvs
from derb_tools.release_key import ReleaseKey

from tests.e2e.conftest import VERSION
from tests.e2e.rig import Rig, planned
from tests.e2e.test_frozen_node import freeze
from tests.gateway.kit import DEADLINE_S

DAY_MS = 86_400_000
TRIALS = 8


async def unheard(_: object) -> None:
    """Nobody asks how the campaign stands."""


class Street(Rig):
    book: OrderBook

    def order(self, release: Path) -> int:
        """What `derb gateway update` does; the id of the command."""
        taken = Releases(releases_path(self.folder / "derb.sqlite3")).add(release)
        return self.book.add_command(
            self.nodes[0].id, "update", taken.version, self.now_ms + 7 * DAY_MS, self.now_ms
        ).id

    def campaign(self, release: Path) -> CampaignDriver:
        """What `derb gateway campaign start` does for a fleet of one, and the gateway's first step."""
        taken = Releases(releases_path(self.folder / "derb.sqlite3")).add(release)
        node = self.nodes[0].id
        start(
            self.book,
            Plan(taken.version, (1,), 10, 0, 86_400),
            [Member(node, 0, NodeState.WAITING)],
            self.now_ms,
        )
        driver = CampaignDriver(self.book, Clock(), lambda: {node}, unheard)
        driver.step()
        return driver

    def campaign_state(self) -> tuple[str, str]:
        told = campaign_json(self.book)
        assert told is not None
        return told["state"], told["nodes"][self.nodes[0].id]["state"]

    @property
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def one(self, cut: Cut | None = None) -> WakeResult:
        return await asyncio.to_thread(self.wake, self.nodes[0].id, cut=cut)

    def state(self) -> str:
        return self.book.commands(self.nodes[0].id)[-1].state(self.now_ms)

    async def until(self, *states: str, most: int = 60) -> list[WakeResult]:
        results = []
        while self.state() not in states:
            results.append(await self.one())
            assert len(results) < most, f"{self.state()}: {results[-1]}"
            await asyncio.sleep(0.02)
        return results

    async def until_fields(self, **fields: int) -> None:
        for _ in range(30):
            reported = self.book.reported(self.nodes[0].id)
            if reported and fields.items() <= reported.health.items():
                return
            await self.one()
            await asyncio.sleep(0.05)
        raise AssertionError(f"{fields} is not in {reported}")


@pytest.fixture
async def street(tmp_path: Path, key: ReleaseKey) -> AsyncIterator[Street]:
    node = planned(tmp_path, 1, "level", report_every=1, health_every_s=600)
    async with Street(tmp_path, [node]) as rig:
        rig.book = OrderBook(orders_path(tmp_path / "derb.sqlite3"))
        write_nvs(rig.boards[node.id].dir / "nvs", "derb", {"upd_key": key.public})
        await rig.one()
        await rig.one()
        yield rig
        rig.book.close()


async def test_an_update_of_a_campaign_is_fetched_tried_and_kept(
    street: Street, releases: dict[str, Path]
) -> None:
    campaign = street.campaign(releases["good"])
    await street.until("started")
    campaign.step()
    assert street.campaign_state() == ("running", "ordered")
    results = await street.until("done", "failed")
    assert street.state() == "done", results[-1]
    campaign.step()
    assert street.campaign_state() == ("done", "updated")
    await street.until_fields(firmware_version=VERSION, slot=1, update_state=3, update_version=VERSION)
    assert [crash for crash in street.crashes if "-> reset" not in crash] == []
    assert await street.one()
    await street.drain()
    await street.arrived_upstream(len(list(street.ledger.kept())))
    for balance in street.balances():
        assert balance.sound, balance


async def test_a_node_with_its_firmware_frozen_is_updated_too_and_runs_the_new_version_from_flash(
    street: Street, key: ReleaseKey, releases: dict[str, Path]
) -> None:
    board = street.boards[street.nodes[0].id]
    freeze(board)
    write_nvs(board.dir / "nvs", "derb", {"upd_key": key.public})
    await street.one()
    street.order(releases["good"])
    results = await street.until("done", "failed")
    assert street.state() == "done", results[-1]
    await street.until_fields(firmware_version=VERSION, slot=1, update_state=3)
    board.power_cut()
    await street.until_fields(firmware_version=VERSION, slot=1)
    # Its files gone, what is frozen runs.
    board.flash.write_bytes(b"\0" * 8192 + board.flash.read_bytes()[8192:])
    board.power_cut()
    await street.until_fields(firmware_version=100)
    assert [crash for crash in street.crashes if "-> reset" not in crash] == []


async def test_a_weak_battery_begins_no_update_and_goes_on_with_none(
    tmp_path: Path, key: ReleaseKey, releases: dict[str, Path]
) -> None:
    node = planned(tmp_path, 1, "level", report_every=1, batt_pin=35, batt_low_mv=3300)
    async with Street(tmp_path, [node]) as street:
        street.book = OrderBook(orders_path(tmp_path / "derb.sqlite3"))
        board = street.boards[node.id]
        sensors = list(board.sensors)

        def battery(mv: int) -> None:
            board.sensors = [*sensors, Battery(mv // 2)]

        write_nvs(board.dir / "nvs", "derb", {"upd_key": key.public})
        battery(3200)
        await street.one()
        street.order(releases["good"])
        await street.until("failed")
        assert street.book.commands(node.id)[-1].value == 12
        assert "upd" not in board.nvs()["derb"]
        battery(3800)
        street.order(releases["good"])
        cut = await street.one(Cut(at_write=60))
        assert cut.end == "power_cut", cut
        battery(3200)
        for _ in range(3):
            waits = await street.one()
            assert not waits.said("derb update"), waits
            assert (waits.sleep_ms or 0) > 30_000, "it does not come back in 20 s for nothing"
        battery(3800)
        goes_on = [await street.one() for _ in range(2)]
        assert any(result.said("derb update") for result in goes_on), goes_on[-1]
        street.book.close()


async def test_a_release_that_does_not_start_is_left_at_once_and_said(
    street: Street, releases: dict[str, Path]
) -> None:
    street.order(releases["broken"])
    await street.until("failed")
    (command,) = street.book.commands(street.nodes[0].id)
    assert command.value == 11
    await street.until_fields(firmware_version=100, slot=0, update_state=4)
    await street.drain()
    await street.arrived_upstream(len(list(street.ledger.kept())))
    for _ in range(400):  # what the gateway says itself is no reading of the ledger
        if alarms(street):
            break
        await asyncio.sleep(0.05)
    assert alarms(street) == ["update_returned"]


async def test_a_release_that_gets_no_receipt_is_left_after_its_trial(
    street: Street, releases: dict[str, Path]
) -> None:
    street.order(releases["mute"])
    results = await street.until("failed", most=120)
    mute = [result for result in results if result.said("failed mute")]
    assert 1 <= len(mute) <= TRIALS
    await street.until_fields(firmware_version=100, slot=0, update_state=4)
    await street.drain()
    await street.arrived_upstream(len(list(street.ledger.kept())))
    for balance in street.balances():
        assert balance.sound, balance


def alarms(street: Street) -> list[str]:
    lines = [
        line for path in (street.folder / "forwarded").glob("*") for line in path.read_text().splitlines()
    ]
    return [reading["alarm"] for reading in map(json.loads, lines) if reading["kind"] == "alarm"]


CUTS = 15


async def test_power_cut_all_along_an_update_of_the_real_firmware(
    tmp_path: Path, key: ReleaseKey, releases: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of many nodes is cut at another write of its fetch; all end with the new version, and no reading is lost.

    tests/firmware/test_update.py cuts at every write, with a small release; here it is all of the firmware.
    """
    nodes = [planned(tmp_path, i + 1, "level", report_every=1) for i in range(CUTS + 1)]
    modes: list[CutMode] = ["before", "torn", "after"]
    async with Street(tmp_path, nodes) as rig:
        book = OrderBook(orders_path(tmp_path / "derb.sqlite3"))
        taken = Releases(releases_path(tmp_path / "derb.sqlite3")).add(releases["good"])
        first, *others = [node.id for node in nodes]
        writes = _updated(rig, book, key, first, taken.version, None).block_writes
        places = [1 + i * writes // CUTS for i in range(CUTS)]
        loop, lanes = asyncio.get_running_loop(), ThreadPoolExecutor(3)
        cuts = [Cut(place, modes[i % 3]) for i, place in enumerate(places)]
        cut_wakes = await asyncio.gather(
            *(
                loop.run_in_executor(lanes, _updated, rig, book, key, node, taken.version, cut)
                for node, cut in zip(others, cuts, strict=True)
            )
        )
        lanes.shutdown()
        # What slept only in RTC memory when the power went is what the contract excepts.
        excepted = {
            key for node, result in zip(others, cut_wakes, strict=True) for key in _kept(node, result)
        }
        expected = [key for key in rig.ledger.kept() if key not in excepted]
        book.close()
        async with asyncio.timeout(DEADLINE_S):
            while late := set(expected) - set(rig.file_counts()):
                nodes_of_late = {key.split(":")[0] for key in late}
                await asyncio.gather(*(asyncio.to_thread(rig.wake, node) for node in nodes_of_late))
        counts = rig.file_counts()
        assert max(counts.values()) == 1
    with capsys.disabled():
        print(f"\n  power cut at {CUTS} of {writes} writes of a fetch of the real firmware")


def _updated(
    rig: Street, book: OrderBook, key: ReleaseKey, node: str, version: int, cut: Cut | None
) -> WakeResult:
    """Take a node through an update, with a cut in the wake that fetches; that wake."""
    write_nvs(rig.boards[node].dir / "nvs", "derb", {"upd_key": key.public})
    rig.wake(node)
    now_ms = rig.now_ms
    book.add_command(node, "update", version, now_ms + 7 * DAY_MS, now_ms)
    fetching = rig.wake(node, cut=cut)
    while not _fetched(fetching):
        fetching = rig.wake(node, cut=cut)
    for _ in range(60):
        rig.wake(node)
        if book.commands(node)[-1].state(now_ms) == "done":
            return fetching
    raise AssertionError(f"{node}, cut at {cut}: {book.commands(node)[-1]}")


def _fetched(result: WakeResult) -> bool:
    return result.end == "power_cut" or result.said("derb update tried")


def _kept(node: str, result: WakeResult) -> list[str]:
    """The readings that were kept in a wake, as the gateway names them."""
    lines = [line.split() for line in result.log if line.startswith("derb kept ")]
    return [f"{node}:{boot}:{sequence}" for _, _, boot, sequence, *_ in lines]
