"""Relays at a running intake: a played relay on a real pseudo-terminal, found, lost, found again; commit first, then receipts."""

import asyncio
import contextlib
import errno
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from derb_gateway import relay_framing as framing
from derb_gateway.clock import Clock
from derb_gateway.config import RelaySettings
from derb_gateway.downlink import Range
from derb_gateway.findings import Verdict
from derb_gateway.intake import Intake
from derb_gateway.progress import Progress
from derb_gateway.relay_check import check_relays
from derb_gateway.relay_intake import RelayIntake
from derb_gateway.relay_ports import UsbPort
from derb_gateway.status import status
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from derb_tools.board.usb import UsbCable
from derb_tools.downlink import decode_downlink
from gateway.kit import KEY, NODE, eventually, frame, registry
from gateway.test_relay_line import RELAY, description, uplink


class PlayedRelay:
    """The board's end of a cable: says contents, collects what it is told."""

    def __init__(self, folder: Path, *, talks: bool = True) -> None:
        folder.mkdir()
        self.cable = UsbCable(folder / "port")
        self.told: list[bytes] = []
        self.start = 1
        self.channel = 6
        self.talks = talks
        self._splitter = framing.Splitter()

    async def __aenter__(self) -> "PlayedRelay":
        self.cable.__enter__()
        self._fd = os.open(self.cable.console, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        self._life = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        os.close(self._fd)
        self.cable.__exit__()

    def say(self, *contents: bytes) -> None:
        os.write(self._fd, b"".join(map(framing.encode, contents)))

    def raw(self, sent: bytes) -> None:
        os.write(self._fd, sent)

    def receipts(self) -> list[Range]:
        found = [decode_downlink(NODE, KEY, each[10:]) for each in self.told if each[0] == 0x82]
        return [each for downlink in found for each in downlink.ranges]

    async def _run(self) -> None:
        turn = 0
        while True:
            if self.talks and turn % 20 == 0:
                self.say(description(self.start, channel=self.channel))
            turn += 1
            with contextlib.suppress(BlockingIOError):
                for content in self._splitter.feed(os.read(self._fd, 4096)):
                    self.told.append(content)
                    if content[0] == 0x82:
                        self.say(bytes([3, content[1], 0]))
            await asyncio.sleep(0.01)


class Gateway:
    """The relays' side of a gateway, in this process."""

    def __init__(self, folder: Path, *relays: RelaySettings) -> None:
        self.path = folder / "derb.sqlite3"
        self.store = Store(self.path)
        intake = Intake(registry())
        self.writer = Writer(self.store, intake.forget)
        self.side = RelayIntake(relays, Clock(), self.writer, intake, Progress(0))
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.side.run(self.stop))

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.task, 10)
        self.writer.close()
        self.store.close()

    def sequences(self) -> list[int]:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return [seq for (seq,) in db.execute("SELECT seq FROM reading ORDER BY id")]

    def counter(self, name: str) -> int:
        return int(status(self.path)["counters"].get(name, 0))


@asynccontextmanager
async def gateway(folder: Path, *relays: RelaySettings) -> AsyncIterator[Gateway]:
    running = Gateway(folder, *relays)
    try:
        yield running
    finally:
        await running.end()


def at(relay: PlayedRelay, **settings: object) -> RelaySettings:
    return RelaySettings.model_validate({"name": "north", "port": str(relay.cable.port), **settings})


async def test_a_reading_is_on_the_disk_before_its_receipt_leaves(tmp_path: Path) -> None:
    async with PlayedRelay(tmp_path / "r") as relay, gateway(tmp_path, at(relay)) as street:
        await eventually(lambda: street.side.relays["north"].up)
        relay.say(uplink(0, frame(0, 1, 2)))
        await eventually(lambda: Range(1, 0, 2) in relay.receipts())
        assert street.sequences() == [0, 1, 2]
        assert bytes([0x83, 0]) in relay.told


async def test_what_the_relay_held_is_dated_back(tmp_path: Path) -> None:
    async with PlayedRelay(tmp_path / "r") as relay, gateway(tmp_path, at(relay)) as street:
        await eventually(lambda: street.side.relays["north"].up)
        relay.say(uplink(0, frame(0)), uplink(1, frame(1), held_ms=3_600_000))
        await eventually(lambda: len(street.sequences()) == 2)
        with contextlib.closing(sqlite3.connect(street.path)) as db:
            (first,), (second,) = db.execute("SELECT observed_ms FROM reading ORDER BY seq")
        assert 3_590_000 < first - second < 3_610_000
        await eventually(lambda: len(relay.receipts()) >= 1)


async def test_the_same_packet_over_two_relays_is_stored_once_and_answered_by_the_stronger(
    tmp_path: Path,
) -> None:
    async with (
        PlayedRelay(tmp_path / "a") as weak,
        PlayedRelay(tmp_path / "b") as strong,
        gateway(tmp_path, at(weak), at(strong, name="south")) as street,
    ):
        await eventually(lambda: all(relay.up for relay in street.side.relays.values()))
        strong.say(uplink(0, frame(0), rssi_dbm=-50))
        weak.say(uplink(0, frame(0), rssi_dbm=-90))
        await eventually(lambda: Range(1, 0, 0) in strong.receipts())
        await eventually(lambda: bytes([0x83, 0]) in weak.told)
        relay_says = frame(1)
        weak.say(uplink(1, relay_says))
        await eventually(lambda: any(each.last == 1 for each in weak.receipts() + strong.receipts()))
        assert street.sequences() == [0, 1]
        assert street.counter("refused.repeat") == 0
        assert street.counter("relay.heard_twice") == 1


async def test_a_node_that_repeats_itself_gets_its_receipt_again_and_a_late_replay_is_refused(
    tmp_path: Path,
) -> None:
    async with PlayedRelay(tmp_path / "r") as relay, gateway(tmp_path, at(relay)) as street:
        await eventually(lambda: street.side.relays["north"].up)
        relay.say(uplink(0, frame(0)))
        await eventually(lambda: len(relay.receipts()) == 1)
        relay.say(uplink(1, frame(0)))
        await eventually(lambda: len(relay.receipts()) == 2)
        assert street.counter("refused.repeat") == 0
        relay.say(uplink(2, frame(1), held_ms=20_000), uplink(3, frame(1)))
        await eventually(lambda: street.counter("refused.repeat") == 1)
        assert street.sequences() == [0, 1]


async def test_the_plug_may_be_pulled_at_any_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with PlayedRelay(tmp_path / "r") as relay, gateway(tmp_path, at(relay)) as street:
        north = street.side.relays["north"]
        for turn in range(3):
            await eventually(lambda: north.up)
            relay.say(uplink(turn, frame(turn)))
            await eventually(lambda turn=turn: turn in street.sequences())  # type: ignore[misc]
            relay.cable.unplug()
            await eventually(lambda: not north.up)
            assert not north.send(NODE, b"\x20" * 20)
            relay.cable.plug()
        await eventually(lambda: north.up)
    said = [record.message for record in caplog.records]
    assert said.count("relay connected") == 4
    assert said.count("relay is away") == 3, "said once, not at every attempt"


async def test_another_relay_at_that_port_is_not_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        PlayedRelay(tmp_path / "r") as relay,
        gateway(tmp_path, at(relay, id="24:0A:C4:00:00:99")) as street,
    ):
        relay.say(uplink(0, frame(0)))
        await eventually(lambda: "not 240ac4000099" in str([vars(each) for each in caplog.records]))
        assert street.sequences() == []
        assert all(each[0] != 0x83 for each in relay.told)


async def test_two_sections_do_not_open_one_port(tmp_path: Path) -> None:
    async with (
        PlayedRelay(tmp_path / "r") as relay,
        gateway(tmp_path, at(relay), at(relay, name="south")) as street,
    ):
        both = list(street.side.relays.values())
        await eventually(lambda: any(each.up for each in both))
        await asyncio.sleep(0.5)
        assert sum(each.up for each in both) == 1


async def test_a_relay_that_starts_anew_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with PlayedRelay(tmp_path / "r") as relay, gateway(tmp_path, at(relay)) as street:
        await eventually(lambda: street.side.relays["north"].up)
        relay.say(uplink(0, frame(0)))
        await eventually(lambda: street.sequences() == [0])
        relay.start = 2
        await eventually(lambda: "relay started anew" in caplog.text)
        relay.say(uplink(0, frame(1)))
        await eventually(lambda: street.sequences() == [0, 1])


async def test_garbage_on_the_line_stops_nothing(tmp_path: Path) -> None:
    async with PlayedRelay(tmp_path / "r") as relay, gateway(tmp_path, at(relay)) as street:
        await eventually(lambda: street.side.relays["north"].up)
        for sequence in range(20):
            relay.raw(os.urandom(150))
            relay.say(b"\x02", b"\x7f\x01", uplink(sequence, frame(sequence)))
            await eventually(lambda sequence=sequence: sequence in street.sequences())  # type: ignore[misc]


async def test_the_status_has_what_a_relay_says_of_itself(tmp_path: Path) -> None:
    async with PlayedRelay(tmp_path / "r") as relay, gateway(tmp_path, at(relay)) as street:
        await eventually(lambda: "north" in status(street.path)["relays"])
        said = status(street.path)["relays"]["north"]
        assert (said["channel"], said["strange"], said["firmware_version"]) == (6, 1, 100)
        assert said["last_heard"].endswith("Z")
        assert not [name for name in status(street.path)["counters"] if "north" in name]


async def test_the_check_hears_a_relay_and_says_what_to_pin(tmp_path: Path) -> None:
    async with PlayedRelay(tmp_path / "r") as relay:
        settings = at(relay)
        (finding,) = [each async for each in check_relays([settings], Clock(), running=False)]
        assert finding.verdict is Verdict.OK
        assert RELAY in finding.detail
        assert "channel 6" in finding.detail
        (finding,) = [each async for each in check_relays([settings], Clock(), running=True)]
        assert "running gateway has it" in finding.detail


async def test_the_check_names_what_is_there_instead(tmp_path: Path) -> None:
    settings = RelaySettings(name="north", serial="0001")
    (finding,) = [each async for each in check_relays([settings], Clock(), running=False, ports=list)]
    assert finding.verdict is Verdict.BAD
    assert finding.detail == "not plugged in: serial 0001; USB serial ports here: none"


async def test_the_check_says_that_ports_cannot_be_looked_at() -> None:
    def going() -> list[UsbPort]:
        raise OSError(errno.EIO, "Input/output error")

    settings = RelaySettings(name="north")
    (finding,) = [each async for each in check_relays([settings], Clock(), running=False, ports=going)]
    assert finding.verdict is Verdict.BAD
    assert "cannot be looked at just now" in finding.detail


async def test_the_check_tells_a_board_that_is_no_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derb_gateway.relay_check._WAIT_S", 0.5)
    async with PlayedRelay(tmp_path / "r", talks=False) as relay:
        (finding,) = [each async for each in check_relays([at(relay)], Clock(), running=False)]
        assert finding.verdict is Verdict.BAD
        assert "speaks as a relay" in finding.detail
        assert relay.told == [], "a board that is none of ours hears nothing from us"
