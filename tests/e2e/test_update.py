"""An update in the street: the real firmware, signed, fetched over MQTT, tried, kept; or left, and the old one is back."""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.releases import Releases, releases_path
from derb_tools.board import Cut, CutMode, WakeResult
from derb_tools.board.nvs import write_nvs
from derb_tools.firmware_files import firmware_dir
from derb_tools.release_build import build_release
from derb_tools.release_key import ReleaseKey

from tests.e2e.rig import Rig, planned

VERSION = 101
DAY_MS = 86_400_000
TRIALS = 8


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ReleaseKey:
    return ReleaseKey.create(tmp_path_factory.mktemp("key") / "release.key")


def firmware(folder: Path, version: int, **changed: str) -> Path:
    """The firmware's sources with another version, and with some modules replaced."""
    shutil.copytree(firmware_dir(), folder)
    (folder / "derb" / "__init__.py").write_text(f"VERSION = {version}\n")
    for name, source in changed.items():
        (folder / "derb" / f"{name}.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def releases(key: ReleaseKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A good release; one that does not start; one that starts and never sends."""
    folder = tmp_path_factory.mktemp("releases")
    sources = {
        "good": firmware(folder / "good", VERSION),
        "broken": firmware(folder / "broken", VERSION, upkeep="raise ValueError('broken')\n"),
        "mute": firmware(folder / "mute", VERSION, sender=MUTE),
    }
    made = {}
    for name, source in sources.items():
        made[name] = folder / f"{name}.derb"
        made[name].write_bytes(build_release(key, VERSION, "*", source))
    yield made


MUTE = '''
from derb.links import LinkError


class Sender:
    proven = False
    refused = 0

    def __init__(self, *rest):
        pass

    def run(self, link, deadline):
        raise LinkError("mute")
'''


class Street(Rig):
    def order(self, release: Path) -> int:
        """What `derb gateway update` does; the id of the command."""
        taken = Releases(releases_path(self.folder / "derb.sqlite3")).add(release)
        return self.book.add_command(
            self.nodes[0].id, "update", taken.version, self.now_ms + 7 * DAY_MS, self.now_ms
        ).id

    @property
    def now_ms(self) -> int:
        import time

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


async def test_an_update_is_fetched_tried_and_kept(street: Street, releases: dict[str, Path]) -> None:
    street.order(releases["good"])
    await street.until("started")
    results = await street.until("done", "failed")
    assert street.state() == "done", results[-1]
    await street.until_fields(firmware_version=VERSION, slot=1, update_state=3, update_version=VERSION)
    assert [crash for crash in street.crashes if "-> reset" not in crash] == []
    assert await street.one()
    await street.drain()
    await street.arrived_upstream(len(list(street.ledger.kept())))
    for balance in street.balances():
        assert balance.sound, balance


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
    lines = [line for path in (street.folder / "forwarded").glob("*") for line in path.read_text().splitlines()]
    return [reading["alarm"] for reading in map(json.loads, lines) if reading["kind"] == "alarm"]


async def test_power_cut_all_along_an_update_of_the_real_firmware(
    street: Street, releases: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """One long update, cut again and again at ever later writes; it ends whole, and no reading is lost."""
    street.order(releases["good"])
    board = street.boards[street.nodes[0].id]
    ends: Counter[str] = Counter()
    modes: list[CutMode] = ["before", "torn", "after"]
    at_write = 1
    while street.state() not in ("done", "failed"):
        result = await street.one(Cut(at_write, modes[ends["power_cut"] % 3]))
        ends[result.end] += 1
        at_write += 7 if result.end == "power_cut" else 0
        if result.end != "power_cut" or at_write > 400:
            at_write = 1 if at_write > 400 else at_write
        assert sum(ends.values()) < 400, (ends, result)
        if board.state.ended != "deepsleep":
            await street.one()  # and what comes after a cut is a whole wake, so that time goes on
        await asyncio.sleep(0.02)
    assert street.state() == "done"
    await street.until_fields(firmware_version=VERSION, slot=1, update_state=3)
    with capsys.disabled():
        print(f"\n  power cut {ends['power_cut']} times in one update of the real firmware")
    assert ends["power_cut"] >= 10
    await street.drain()
    await street.arrived_upstream(len(list(street.ledger.kept())))
    counts = street.file_counts()
    assert max(counts.values()) == 1
