"""ESP-NOW packets go from board to board with the limits of the chip."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from derb_tools.board import Faults
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
    assert heard[0].log[1] == "[b'$\\n\\xc4\\xa1\\xb2\\xc3', b'hi']"


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


def test_another_channel_is_not_heard(make_board: MakeBoard, air: Air) -> None:
    source = (
        START
        + """
    station = network.WLAN(network.STA_IF)
    radio.add_peer(RELAY)
    for channel in (10, 11, 12):
        station.config(channel=channel)
        print(channel, radio.send(RELAY, b"x"))
    """
    )
    with AirRadio(air.port, RELAY, channel=11):
        assert make_board(source, air_port=air.port).wake().log == ["10 False", "11 True", "12 False"]


def test_a_buffer_that_is_full_drops_and_counts(make_board: MakeBoard, air: Air) -> None:
    board = make_board(
        START
        + """
    radio.add_peer(RELAY)
    radio.send(RELAY, b"now")
    time.sleep(1)
    while radio.stats()[3] + radio.stats()[4] < 5:
        pass
    print(radio.stats()[3:], len(radio.recv(0)[1]), radio.peers_table[RELAY][0])
    """,
        air_port=air.port,
    )
    air.rssi_dbm[RELAY, board.node_id] = -77
    with AirRadio(air.port, RELAY) as relay:

        def flood() -> None:
            heard = relay.receive(10)
            assert heard is not None
            for _ in range(5):
                relay.send(heard[0], bytes(200))

        thread = threading.Thread(target=flood)
        thread.start()
        result = board.wake()
        thread.join()
    assert result.log == ["(2, 3) 200 -77"]


def test_without_memory_only_a_new_start_of_the_radio_helps(make_board: MakeBoard, air: Air) -> None:
    board = make_board(
        START
        + """
    radio.add_peer(RELAY)
    for _ in range(3):
        try:
            print(radio.send(RELAY, b"x"))
        except OSError as e:
            print(e)
    radio.active(False)
    radio.active(True)
    radio.add_peer(RELAY)
    print(radio.send(RELAY, b"x"))
    """,
        air_port=air.port,
    )
    with AirRadio(air.port, RELAY):
        log = board.wake(faults=Faults(espnow_no_mem_after=2)).log
    assert log == ["True", "True", "(-12391, 'ESP_ERR_ESPNOW_NO_MEM')", "True"]


def test_a_low_heap_loses_a_packet_without_an_error(make_board: MakeBoard, air: Air) -> None:
    board = make_board(
        START
        + """
    radio.add_peer(RELAY)
    radio.send(RELAY, b"now")
    print(radio.recv(2000), radio.recv(2000)[1], radio.stats()[3])
    """,
        air_port=air.port,
    )
    with AirRadio(air.port, RELAY) as relay:

        def speak() -> None:
            heard = relay.receive(10)
            assert heard is not None
            relay.send(heard[0], b"one")
            relay.send(heard[0], b"two")

        thread = threading.Thread(target=speak)
        thread.start()
        result = board.wake(faults=Faults(espnow_deaf_every=1))
        thread.join()
    assert result.log == ["(None, None) None 2"]
