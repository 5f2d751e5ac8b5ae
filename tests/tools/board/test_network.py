"""The radio takes its time and tells why it failed; sockets wait for ever unless told otherwise."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_tools.board import Faults, Site
from derb_tools.board.parts import Fault
from tools.board.tiny import MakeBoard

CONNECT = """
    import machine, network, socket, time
    wlan = network.WLAN(network.STA_IF)
    start = time.ticks_ms()
    def since():
        return time.ticks_diff(time.ticks_ms(), start)
    def join(ssid="derb", key="derb-street", limit_ms=8000):
        wlan.active(True)
        wlan.config(reconnects=0)
        wlan.connect(ssid, key)
        while not wlan.isconnected() and wlan.status() == network.STAT_CONNECTING and since() < limit_ms:
            time.sleep_ms(20)
        return wlan.status()
"""
OPEN = """
    join()
    sock = socket.socket()
    sock.connect(socket.getaddrinfo("broker", 1883)[0][-1])
"""


class Resetter:
    """Accepts one connection and resets it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        peer, _ = self._socket.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


class Upstream:
    """Something to connect to: it keeps what it was sent, and says what a test wants it to."""

    def __init__(self, answer: bytes) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.received = b""
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer, contextlib.suppress(ConnectionResetError):  # a board that ends takes its sockets along
                while chunk := peer.recv(1000):
                    self.received += chunk
                    peer.sendall(self._answer)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream(b"12345")
    yield server
    server.close()


def at(server: Upstream | Resetter) -> Site:
    return Site(hosts={"broker": ("127.0.0.1", server.port)})


def test_joining_takes_the_board_time_and_no_real_time(make_board: MakeBoard) -> None:
    board = make_board(
        CONNECT
        + """
    print(join() == network.STAT_GOT_IP, 1500 <= since() <= 1700)
    print(wlan.ifconfig()[0], wlan.status("rssi"), wlan.config("mac").hex())
    wlan.active(False)
    print(wlan.isconnected(), wlan.status() == network.STAT_IDLE)
    """
    )
    result = board.wake()
    assert result.log == ["True True", "10.77.0.100 -61 240ac4a1b2c3", "False True"]
    assert (result.wifi_connects, result.end) == (1, "exit")
    assert 1500 <= result.wifi_on_ms <= 1700
    assert result.real_ms < 1000


def test_a_fixed_address_saves_the_wait_for_dhcp(make_board: MakeBoard) -> None:
    board = make_board(
        CONNECT
        + """
    wlan.active(True)
    wlan.ifconfig(("10.77.0.50", "255.255.255.0", "10.77.0.1", "10.77.0.1"))
    print(join(), since() < 750, wlan.ifconfig()[0])
    """
    )
    assert board.wake().log == ["1010 True 10.77.0.50"]


@pytest.mark.parametrize(
    ("join", "site", "status"),
    [
        ("join(key='wrong')", Site(), 202),
        ("join(ssid='other')", Site(), 201),
        ("join()", Site(ap_up=False), 201),
    ],
)
def test_a_failed_attempt_says_why(make_board: MakeBoard, join: str, site: Site, status: int) -> None:
    board = make_board(CONNECT + f"    print({join})", site=site)
    assert board.wake().log == [str(status)]


def test_with_unlimited_reconnects_it_tries_for_ever(make_board: MakeBoard) -> None:
    board = make_board(
        CONNECT
        + """
    wlan.active(True)
    wlan.connect("derb", "derb-street")
    time.sleep(3600)
    print(wlan.status() == network.STAT_CONNECTING)
    """,
        site=Site(ap_up=False),
    )
    assert board.wake().log == ["True"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("wlan.connect('derb', 'x')", "OSError: Wifi Not Started"),
        ("socket.getaddrinfo('broker', 1883)", "OSError: -202"),
        ("socket.socket().connect(('10.77.1.1', 1883))", "OSError: [Errno 113] EHOSTUNREACH"),
        ("join(); socket.getaddrinfo('nobody', 1883)", "OSError: -202"),
        ("join(); socket.socket().read(1)", "OSError: [Errno 107] ENOTCONN"),
    ],
)
def test_misuse_of_the_network_fails_as_on_the_board(make_board: MakeBoard, source: str, error: str) -> None:
    assert make_board(CONNECT + f"    {source}").wake().log[-1] == error


def test_bytes_go_out_and_come_in(make_board: MakeBoard, upstream: Upstream) -> None:
    board = make_board(
        CONNECT
        + OPEN
        + """
    sock.settimeout(3)
    print(sock.write(b"hello...", 5), sock.read(2), sock.recv(100))
    sock.close()
    """,
        site=at(upstream),
    )
    result = board.wake()
    assert result.log == ["5 b'12' b'345'"]
    assert upstream.received == b"hello"
    assert (result.tx_bytes, result.rx_bytes) == (5, 5)


@pytest.mark.parametrize("program", ["", str(Path(sys.executable).with_name("micropython"))])
def test_writing_to_a_reset_connection_is_an_error_and_no_death(
    make_board: MakeBoard, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setenv("MICROPYTHON", program)
    resetter = Resetter()
    source = """
    for _ in range(200):
        try:
            sock.write(b"x")
        except OSError:
            failed = failed + 1 if "failed" in globals() else 1
            if failed == 2:
                break
        time.sleep_ms(10)
    print("alive", failed)
    """
    result = make_board(CONNECT + OPEN + source, site=at(resetter)).wake()
    resetter.close()
    assert (result.end, result.log) == ("exit", ["alive 2"])


def test_nothing_listens(make_board: MakeBoard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    board = make_board(CONNECT + OPEN, site=Site(hosts={"broker": ("127.0.0.1", port)}))
    assert board.wake().log[-1] == "OSError: [Errno 111] ECONNREFUSED"


def test_a_timeout_has_its_name(make_board: MakeBoard, upstream: Upstream) -> None:
    board = make_board(
        CONNECT
        + OPEN
        + """
    import errno
    sock.settimeout(0.2)
    try:
        sock.read(1)
    except OSError as error:
        print(error.errno == errno.ETIMEDOUT)
    """,
        site=at(upstream),
    )
    assert board.wake().log == ["True"]


def test_setblocking_true_clears_the_timeout(make_board: MakeBoard, upstream: Upstream) -> None:
    board = make_board(
        CONNECT
        + OPEN
        + """
    machine.WDT(timeout=20_000)
    sock.settimeout(1)
    sock.setblocking(True)  # umqtt.simple does this at the first PUBACK
    try:
        sock.read(1)
    except OSError:
        print("the laptop's timeout")
    """,
        site=at(upstream),
    )
    result = board.wake(faults=Faults(read="stall"))
    assert (result.end, result.log) == ("wdt", [])
    assert result.real_ms < 3000


def test_a_stalled_read_ends_by_its_timeout_in_no_real_time(
    make_board: MakeBoard, upstream: Upstream
) -> None:
    board = make_board(
        CONNECT
        + OPEN
        + """
    sock.settimeout(30)
    before = since()
    try:
        sock.read(1)
    except OSError as error:
        print(error.errno, (since() - before) // 1000)
    """,
        site=at(upstream),
    )
    result = board.wake(faults=Faults(read="stall"))
    assert result.log == ["110 30"]
    assert result.real_ms < 3000


def test_a_stalled_poll_ends_by_its_timeout(make_board: MakeBoard, upstream: Upstream) -> None:
    board = make_board(
        CONNECT
        + OPEN
        + """
    import select
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    before = since()
    print(poller.poll(10_000), (since() - before) // 1000)
    """,
        site=at(upstream),
    )
    assert board.wake(faults=Faults(read="stall")).log == ["[] 10"]


@pytest.mark.parametrize(
    ("fault", "said"), [("stall", "[] None"), ("fail", "[24] [Errno 111] ECONNREFUSED"), ("ok", "[4] 1")]
)
def test_a_connection_under_way_is_followed_by_poll(
    make_board: MakeBoard, upstream: Upstream, fault: Fault, said: str
) -> None:
    board = make_board(
        CONNECT
        + """
    import errno, select
    join()
    sock = socket.socket()
    sock.setblocking(False)
    try:
        sock.connect(socket.getaddrinfo("broker", 1883)[0][-1])
    except OSError as error:
        assert error.errno == errno.EINPROGRESS
    poller = select.poll()
    poller.register(sock, select.POLLOUT)
    events = [event for _, event in poller.poll(9000)]
    try:
        print(events, sock.write(b"x"))
    except OSError as error:
        print(events, error)
    """,
        site=at(upstream),
    )
    result = board.wake(faults=Faults(connect=fault))
    assert result.log == [said]
    assert (result.awake_ms > 9000) == (fault == "stall")


@pytest.mark.parametrize("faults", [Faults(dns="stall"), Faults(connect="stall")])
def test_a_stall_without_timeout_is_ended_by_the_watchdog_only(
    make_board: MakeBoard, upstream: Upstream, faults: Faults
) -> None:
    board = make_board(CONNECT + "    machine.WDT(timeout=60_000)" + OPEN, site=at(upstream))
    result = board.wake(faults=faults)
    assert result.end == "wdt"
    assert result.real_ms < 3000
    assert make_board(CONNECT + OPEN, "unwatched", site=at(upstream)).wake(faults=faults).end == "hang"


def test_an_answer_is_waited_for_while_the_board_sleeps_on_an_open_socket(
    make_board: MakeBoard, upstream: Upstream
) -> None:
    board = make_board(
        CONNECT
        + OPEN
        + """
    sock.setblocking(False)
    sock.write(b"x")
    for _ in range(200):
        got = sock.read(5)
        if got:
            break
        time.sleep_ms(50)
    print(got)
    """,
        site=at(upstream),
    )
    assert board.wake().log == ["b'12345'"]


def test_poll_sees_an_answer(make_board: MakeBoard, upstream: Upstream) -> None:
    board = make_board(
        CONNECT
        + OPEN
        + """
    import select
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    sock.write(b"x")
    print([event for _, event in poller.poll(5000)], sock.read(5), poller.poll(20))
    """,
        site=at(upstream),
    )
    assert board.wake().log == ["[1] b'12345' []"]


def test_the_access_point_goes_away_under_a_connection(make_board: MakeBoard, upstream: Upstream) -> None:
    site = Site(hosts={"broker": ("127.0.0.1", upstream.port)}, ap_down_after_ms=5000)
    board = make_board(
        CONNECT
        + OPEN
        + """
    sock.settimeout(10)
    time.sleep(4)
    print(wlan.isconnected())
    try:
        sock.write(b"x")
        sock.read(1)
    except OSError as error:
        print(error.errno, wlan.isconnected())
    """,
        site=site,
    )
    assert board.wake().log == ["True", "110 False"]


def test_light_sleep_loses_the_access_point(make_board: MakeBoard) -> None:
    board = make_board(
        CONNECT
        + """
    join()
    machine.lightsleep(1000)
    print(wlan.isconnected())
    """
    )
    assert board.wake().log == ["False"]


def test_the_second_converter_is_the_radios(make_board: MakeBoard) -> None:
    board = make_board(CONNECT + "    wlan.active(True)\n    machine.ADC(machine.Pin(25)).read_uv()")
    assert board.wake().log[-1] == "OSError: (-263, 'ESP_ERR_TIMEOUT')"


def test_names_are_the_sites_own(make_board: MakeBoard, upstream: Upstream) -> None:
    board = make_board(
        CONNECT + "    join()\n    print(socket.getaddrinfo('broker', 1883))", site=at(upstream)
    )
    assert board.wake().log == ["[(2, 1, 0, '', ('10.77.1.1', 1883))]"]


def test_waiting_for_a_silent_peer_can_be_faster_than_real(make_board: MakeBoard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site = Site(hosts={"broker": ("127.0.0.1", silent.getsockname()[1])})
        board = make_board(
            CONNECT
            + OPEN
            + """
    import select
    sock.settimeout(5)
    before = since()
    try:
        sock.read(1)
    except OSError as error:
        print(error, (since() - before) // 1000)
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    print(poller.poll(5000), (since() - before) // 1000)
    time.sleep(5)
    """,
            site=site,
            network_speed=50,
        )
        result = board.wake()
    assert result.log == ["[Errno 110] ETIMEDOUT 5", "[] 10"]
    assert result.real_ms < 3000
