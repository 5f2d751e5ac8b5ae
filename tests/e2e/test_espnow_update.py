"""Orders and an update over ESP-NOW: a relay played by Python with the gateway's own logic behind it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from derb_gateway.arrivals import Arrival
from derb_gateway.clock import Clock
from derb_gateway.intake import Intake
from derb_gateway.orders import OrderBook
from derb_gateway.receipts import receipts
from derb_gateway.registry import Registry
from derb_gateway.releases import Releases, chunk_frames
from derb_gateway.store import Store
from derb_tools.board import Faults
from derb_tools.board.air import Air, AirRadio
from derb_tools.board.nvs import write_nvs
from derb_tools.demo.plan import PlannedNode, Ports, make_board
from derb_tools.release_key import ReleaseKey

from tests.e2e.conftest import VERSION
from tests.e2e.rig import free_port, planned

RELAY = bytes.fromhex("240ac4fffff1")
CHANNEL = 6
SPEED = 6  # of the board's clock while it waits for a chunk that was lost


class Relay:
    """Answers every packet as relay and gateway together would; every `lost`-th chunk is lost in the air."""

    def __init__(self, folder: Path, radio: AirRadio, node: PlannedNode, lost: int) -> None:
        self.registry = Registry({node.id: node.key})
        self.book = OrderBook(folder / "orders.sqlite3")
        self.releases = Releases(folder / "releases")
        self.chunks = 0
        self.longest = 0
        self._store = Store(folder / "derb.sqlite3")
        self._intake = Intake(self.registry)
        self._radio, self._node, self._lost = radio, node, lost
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.book.close()
        self._store.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            heard = self._radio.receive(0.02)
            if heard is not None:
                self._answer(*heard)

    def _answer(self, sender: bytes, packet: bytes) -> None:
        if packet[0] == 1:
            self._radio.send(sender, b"\x02" + packet[1:5] + bytes([CHANNEL, 1]))
            return
        clock = Clock()
        arrival = Arrival.of(
            f"d/{self._node.id}/u",
            packet,
            dup=False,
            received_ms=clock.wall_ms(),
            error_ms=0,
            synchronised=True,
        )
        outcome = self._intake.take(self._store, [arrival])
        self.book.heard(outcome.reports)
        for _, frame in receipts(outcome.ranges, self.registry, clock, self.book):
            self._say(sender, frame)
        for _, frame in chunk_frames(outcome, self.registry, self.releases):
            self.chunks += 1
            if self.chunks % self._lost:
                self._say(sender, frame)

    def _say(self, sender: bytes, frame: bytes) -> None:
        self.longest = max(self.longest, len(frame))
        self._radio.send(sender, frame)


@contextmanager
def relay(folder: Path, air: Air, node: PlannedNode, lost: int) -> Iterator[Relay]:
    with AirRadio(air.port, RELAY, CHANNEL) as radio:
        played = Relay(folder, radio, node, lost)
        try:
            yield played
        finally:
            played.close()


def test_a_node_behind_a_relay_is_configured_commanded_and_updated(
    tmp_path: Path, key: ReleaseKey, releases: dict[str, Path]
) -> None:
    node = planned(
        tmp_path, 1, "level", wake_s=300, report_every=1, link="espnow", led_pin=2, health_every_s=60
    )
    with Air() as air, relay(tmp_path, air, node, lost=23) as played:
        board = replace(
            make_board(tmp_path / "boards", node, Ports(free_port(), free_port()), speed=0), air_port=air.port
        )
        board.network_speed = SPEED
        write_nvs(board.dir / "nvs", "derb", {"upd_key": key.public})
        board.wake()
        now_ms = Clock().wall_ms()
        played.book.set_config(node.id, {"wake_s": 120}, now_ms)
        played.book.add_command(node.id, "identify", 3, now_ms + 600_000, now_ms)
        taken = played.releases.add(releases["good"])
        played.book.add_command(node.id, "update", taken.version, now_ms + 600_000, now_ms)
        left_kb = set()
        for number in range(40):
            # In one wake the radio gives up with the update half there.
            result = board.wake(faults=Faults(espnow_no_mem_after=60 if number == 0 else None))
            assert result.end in ("deepsleep", "reset"), result
            assert not result.violations
            states = [command.state(now_ms) for command in played.book.commands(node.id)]
            if told := played.book.reported(node.id):
                left_kb.add(told.health.get("update_kb_left", 0))
            if states == ["done", "done"]:
                break
        assert states == ["done", "done"]
        assert 0 < max(left_kb) < 255, "how far it is was told"
        for _ in range(3):
            board.wake()
        reported = played.book.reported(node.id)
        assert reported is not None
        assert reported.health["firmware_version"] == VERSION
        assert reported.health["config_version"] == 1
        assert reported.health["slot"] == 1
        assert played.longest <= 240
        assert played.chunks > 300
