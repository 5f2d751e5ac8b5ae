"""`espnow` of the ESP32 port; the air is a UDP port of the supervisor (`derb_tools.board.air`)."""

import select as _select
import socket as _socket

import sim_network

MAX_DATA_LEN = 250
MAX_TOTAL_PEER_NUM = 20
MAX_ENCRYPT_PEER_NUM = 6
ADDR_LEN = 6
KEY_LEN = 16

_NOT_INIT = 12389
_FULL = 12392
_NOT_FOUND = 12393
_EXIST = 12395
_IF = 12396
_NAMES = {
    _NOT_INIT: "ESP_ERR_ESPNOW_NOT_INIT",
    _FULL: "ESP_ERR_ESPNOW_FULL",
    _NOT_FOUND: "ESP_ERR_ESPNOW_NOT_FOUND",
    _EXIST: "ESP_ERR_ESPNOW_EXIST",
    _IF: "ESP_ERR_ESPNOW_IF",
}
_BROADCAST = b"\xff" * 6
_PACKET_BYTES = 300
_SEND_MS = 3
_NO_ACK_MS = 25  # the radio's own repetitions
_HUB_MS = 1000
_SLICE_MS = 20
_DEFAULT_TIMEOUT_MS = 300

_clock = None
_node_id = b""
_air_port = None


def setup(clock, node_id, air_port):
    global _clock, _node_id, _air_port
    _clock, _node_id, _air_port = clock, node_id, air_port


def _fail(code):
    raise OSError(-code, _NAMES[code])


class _Air:
    """This board's way to the hub. Without a hub nobody ever answers."""

    def __init__(self):
        self.waiting = []
        self._acks = []
        self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._poller = _select.poll()
        self._poller.register(self._socket, _select.POLLIN)
        self._hub = _socket.getaddrinfo("127.0.0.1", _air_port or 9)[0][-1]
        if _air_port:
            self._socket.sendto(b"H" + _node_id, self._hub)

    def send(self, peer, packet):
        if not _air_port:
            return False
        self._socket.sendto(b"S" + _node_id + peer + packet, self._hub)
        self._acks.clear()
        for _ in range(_HUB_MS // _SLICE_MS):
            self.listen(_SLICE_MS)
            if self._acks:
                return self._acks.pop()
        return False

    def listen(self, real_ms):
        """Take in what comes within that real time."""
        while self._poller.poll(real_ms):
            packet = self._socket.recv(_PACKET_BYTES)
            if packet[:1] == b"A":
                self._acks.append(packet[1:2] == b"\x01")
            else:
                self.waiting.append((packet[1:7], packet[7:]))
            real_ms = 0

    def close(self):
        if _air_port:
            self._socket.sendto(b"B" + _node_id, self._hub)
        self._socket.close()


_air = None


class ESPNow:
    _peers = []
    _timeout_ms = _DEFAULT_TIMEOUT_MS

    def active(self, on=None):
        global _air
        if on and _air is None:
            _air = _Air()
        elif on is not None and not on and _air is not None:
            _air.close()
            _air = None
        return _air is not None

    def config(self, name=None, **settings):
        if name == "timeout_ms":
            return self._timeout_ms
        ESPNow._timeout_ms = settings.get("timeout_ms", self._timeout_ms)

    def set_pmk(self, key):
        if len(key) != KEY_LEN:
            raise ValueError("ESPNow: bytes or bytearray wrong length")

    def add_peer(self, mac, lmk=None, channel=0, ifidx=0, encrypt=False):
        self._must_be_active()
        mac = _address(mac)
        if mac in self._peers:
            _fail(_EXIST)
        if len(self._peers) == MAX_TOTAL_PEER_NUM:
            _fail(_FULL)
        self._peers.append(mac)

    def del_peer(self, mac):
        if _address(mac) not in self._peers:
            _fail(_NOT_FOUND)
        self._peers.remove(_address(mac))

    def get_peers(self):
        return tuple((mac, bytes(KEY_LEN), 0, 0, False) for mac in self._peers)

    def send(self, mac, msg=None, sync=True):
        if msg is None:
            mac, msg = None, mac
        self._must_be_active()
        if not sim_network.radio_is_on():
            _fail(_IF)
        msg = msg.encode() if isinstance(msg, str) else bytes(msg)
        if not 0 < len(msg) <= MAX_DATA_LEN:
            raise ValueError("ESPNow: bytes or bytearray wrong length")
        targets = self._peers if mac is None else [_address(mac)]
        if not targets or any(target not in self._peers for target in targets):
            _fail(_NOT_FOUND)
        heard = [self._send_one(target, msg) for target in targets]
        return all(heard) or not sync

    def _send_one(self, target, msg):
        heard = _air.send(target, msg) or target == _BROADCAST
        _clock.charge((_SEND_MS if heard else _NO_ACK_MS) * 1000)
        _clock.now_us()
        return heard

    def any(self):
        self._must_be_active()
        _air.listen(0)
        return bool(_air.waiting)

    def recv(self, timeout_ms=None):
        """(mac, packet), or (None, None) when the time is over."""
        self._must_be_active()
        timeout_ms = self._timeout_ms if timeout_ms is None else timeout_ms
        start_us = _clock.now_us()
        while True:
            _air.listen(min(_SLICE_MS, timeout_ms) if timeout_ms >= 0 else _SLICE_MS)
            if _air.waiting:
                return _air.waiting.pop(0)
            if 0 <= timeout_ms * 1000 <= _clock.now_us() - start_us:
                return None, None

    irecv = recv

    def __iter__(self):
        return self

    def __next__(self):
        mac, msg = self.recv()
        if mac is None:
            raise StopIteration
        return mac, msg

    def _must_be_active(self):
        if _air is None:
            _fail(_NOT_INIT)


def _address(mac):
    if len(mac) != ADDR_LEN:
        raise ValueError("ESPNow: bytes or bytearray wrong length")
    return bytes(mac)
