"""ESP-NOW packets go from board to board with the limits of the chip."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from derb_tools.board.air import Air, AirRadio
from tools.board.tiny import MakeBoard

RELAY = bytes.fromhex("240ac4000001")
START = f"""
    import espnow, machine, network, time
    RELAY = bytes.fromhex("{RELAY.hex()}")
    network.WLAN(network.STA_IF).active(True)
    radio = espnow.ESPNow()
    radio.active(True)
"""


@pytest.fixture
def air() -> Iterator[Air]:
    with Air() as hub:
        yield hub


def test_a_packet_and_its_answer(make_board: MakeBoard, air: Air) -> None:
    board = make_board(
        START
        + """
    radio.add_peer(RELAY)
    print(radio.send(RELAY, b"frame"))
    print(radio.recv(5000)[1], radio.recv(30))
    """,
        air_port=air.port,
    )
    with AirRadio(air.port, RELAY) as relay:

        def answer() -> None:
            heard = relay.receive(10)
            assert heard is not None
            relay.send(heard[0], heard[1].upper())

        thread = threading.Thread(target=answer)
        thread.start()
        result = board.wake()
        thread.join()
    assert result.log == ["True", "b'FRAME' (None, None)"]


def test_nobody_is_there(make_board: MakeBoard, air: Air) -> None:
    source = START + "    radio.add_peer(RELAY)\n    print(radio.send(RELAY, b'x'))"
    assert make_board(source, air_port=air.port).wake().log == ["False"]
    assert make_board(source, name="alone").wake().log == ["False"]
    assert air.counts == {"absent": 1}


def test_two_boards_hear_each_other(make_board: MakeBoard, air: Air) -> None:
    listener = make_board(
        START + "    print('listening')\n    print(radio.recv(20_000))",
        node_id=RELAY,
        name="relay",
        air_port=air.port,
    )
    speaker = make_board(
        START + "    radio.add_peer(RELAY)\n    print(radio.send(RELAY, b'hi'))", air_port=air.port
    )
    ready = threading.Event()
    heard = []
    thread = threading.Thread(target=lambda: heard.append(listener.wake(on_line=lambda _: ready.set())))
    thread.start()
    ready.wait(10)
    assert speaker.wake().log == ["True"]
    thread.join()
    assert heard[0].log[1] == "(b'$\\n\\xc4\\xa1\\xb2\\xc3', b'hi')"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("radio.send(RELAY, b'x')", "OSError: (-12393, 'ESP_ERR_ESPNOW_NOT_FOUND')"),
        ("radio.active(False); radio.send(RELAY, b'x')", "OSError: (-12389, 'ESP_ERR_ESPNOW_NOT_INIT')"),
        ("radio.add_peer(RELAY); radio.add_peer(RELAY)", "OSError: (-12395, 'ESP_ERR_ESPNOW_EXIST')"),
        ("[radio.add_peer(bytes((i,)) * 6) for i in range(21)]", "OSError: (-12392, 'ESP_ERR_ESPNOW_FULL')"),
        (
            "radio.add_peer(RELAY); radio.send(RELAY, bytes(251))",
            "ValueError: ESPNow: bytes or bytearray wrong length",
        ),
        ("radio.add_peer(b'short')", "ValueError: ESPNow: bytes or bytearray wrong length"),
    ],
)
def test_the_chips_limits_hold(make_board: MakeBoard, air: Air, source: str, error: str) -> None:
    assert make_board(START + f"    {source}", air_port=air.port).wake().log[-1] == error


def test_250_bytes_and_20_peers_are_taken(make_board: MakeBoard, air: Air) -> None:
    board = make_board(
        START
        + """
    for number in range(20):
        radio.add_peer(bytes((number,)) * 6)
    print(radio.send(bytes(6), bytes(250)))
    """,
        air_port=air.port,
    )
    assert board.wake().log == ["False"]


def test_a_lossy_air_loses(make_board: MakeBoard) -> None:
    with Air(loss=1) as air, AirRadio(air.port, RELAY):
        board = make_board(
            START + "    radio.add_peer(RELAY)\n    print(radio.send(RELAY, b'x'))", air_port=air.port
        )
        assert board.wake().log == ["False"]
        assert air.counts["lost"] == 1
