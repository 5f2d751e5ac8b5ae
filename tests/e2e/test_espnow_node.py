"""A whole node over ESP-NOW, with a relay played by Python: receipts, time, fall-back between the two ways."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from derb_gateway.downlink import Range, encode_downlink
from derb_gateway.frame import decode_uplink
from derb_tools.board import SimBoard
from derb_tools.board.air import Air, AirRadio
from derb_tools.demo.plan import PlannedNode, Ports, make_board

from tests.e2e.rig import free_port, planned

RELAY = bytes.fromhex("240ac4fffff1")
TIME_S = 1_795_000_000


class PlayedRelay:
    """Answers probes, and every frame with a receipt; `gateway=False`: says that it has none."""

    def __init__(self, radio: AirRadio, node: PlannedNode, channel: int, *, gateway: bool = True) -> None:
        self.frames: list[bytes] = []
        self._radio, self._node, self._channel, self._gateway = radio, node, channel, gateway
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "PlayedRelay":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            heard = self._radio.receive(0.02)
            if heard is not None:
                self._answer(*heard)

    def _answer(self, sender: bytes, packet: bytes) -> None:
        if packet[0] == 1:
            self._radio.send(sender, b"\x02" + packet[1:5] + bytes([self._channel, self._gateway]))
            return
        uplink = decode_uplink(self._node.id, self._node.key, packet)
        self.frames.append(packet)
        ranges = [Range(uplink.boot, uplink.oldest, uplink.sequence)]
        self._radio.send(
            sender,
            encode_downlink(self._node.id, self._node.key, time_s=TIME_S, synchronised=True, ranges=ranges),
        )


@contextmanager
def relay(air: Air, node: PlannedNode, channel: int = 9, *, gateway: bool = True) -> Iterator[PlayedRelay]:
    with (
        AirRadio(air.port, RELAY, channel) as radio,
        PlayedRelay(radio, node, channel, gateway=gateway) as played,
    ):
        yield played


@pytest.fixture
def air() -> Iterator[Air]:
    with Air() as hub:
        yield hub


def _node(folder: Path, air: Air, link: str) -> tuple[PlannedNode, SimBoard]:
    node = planned(folder, 1, "level", wake_s=300, report_every=1, link=link)
    board = make_board(folder / "boards", node, Ports(free_port(), free_port()), speed=0)
    return node, replace(board, air_port=air.port)


def test_a_node_delivers_over_a_relay_and_remembers_it(tmp_path: Path, air: Air) -> None:
    node, board = _node(tmp_path, air, "espnow")
    with relay(air, node) as played:
        first, second = board.wake(), board.wake()
        assert len(played.frames) == 3  # level and health are kinds of their own
    assert first.end == second.end == "deepsleep"
    assert not first.violations + second.violations
    assert len(first.log) > 0
    assert len([line for line in first.log if line.startswith("derb done")]) == 2
    assert board.nvs()["derb"]["relay"] == RELAY + b"\x09" + bytes(6)
    assert second.wifi_connects == 0
    assert second.awake_ms < first.awake_ms


def test_without_a_relay_the_wake_ends_in_sleep_and_the_reading_waits_on_flash(
    tmp_path: Path, air: Air
) -> None:
    node, board = _node(tmp_path, air, "espnow")
    result = board.wake()
    assert result.end == "deepsleep"
    assert result.said("derb failed no relay answers")
    assert [line for line in result.log if line.startswith("derb safe")]
    with relay(air, node) as played:
        later = board.wake()
        assert played.frames
    assert len([line for line in later.log if line.startswith("derb done")]) >= 2


def test_a_relay_without_a_gateway_is_no_way_out(tmp_path: Path, air: Air) -> None:
    node, board = _node(tmp_path, air, "espnow")
    with relay(air, node, gateway=False) as played:
        result = board.wake()
        assert not played.frames
    assert result.end == "deepsleep"
    assert result.said("derb failed no relay has a gateway")


def test_the_relay_stands_in_where_there_is_no_access_point(tmp_path: Path, air: Air) -> None:
    node, board = _node(tmp_path, air, "wifi+espnow")
    board.site = replace(board.site, ap_up=False)
    with relay(air, node) as played:
        results = [board.wake() for _ in range(4)]
        assert len(played.frames) == 5
    assert all(result.end == "deepsleep" for result in results)
    assert results[3].awake_ms < results[0].awake_ms - 2000, "the dead access point is not tried at each wake"
