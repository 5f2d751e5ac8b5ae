"""`espnow` of the ESP32 port; the air is a UDP port of the supervisor (`derb_tools.board.air`)."""

import sim_air
import sim_hosts
import sim_network

MAX_DATA_LEN = 250
MAX_TOTAL_PEER_NUM = 20
MAX_ENCRYPT_PEER_NUM = 6
ADDR_LEN = 6
KEY_LEN = 16

_NOT_INIT = 12389
_NO_MEM = 12391
_FULL = 12392
_NOT_FOUND = 12393
_EXIST = 12395
_IF = 12396
_NAMES = {
    _NOT_INIT: "ESP_ERR_ESPNOW_NOT_INIT",
    _NO_MEM: "ESP_ERR_ESPNOW_NO_MEM",
    _FULL: "ESP_ERR_ESPNOW_FULL",
    _NOT_FOUND: "ESP_ERR_ESPNOW_NOT_FOUND",
    _EXIST: "ESP_ERR_ESPNOW_EXIST",
    _IF: "ESP_ERR_ESPNOW_IF",
}
_BROADCAST = b"\xff" * 6
_SEND_MS = 3
_NO_ACK_MS = 25  # the radio's own repetitions
_DEFAULT_TIMEOUT_MS = 300
_DEFAULT_RX_BYTES = 526

_clock = None
_node_id = b""
_air_port = None
_faults = {}


def setup(clock, node_id, air_port, faults):
    """`faults`: espnow_no_mem_after (sends until the radio wants a restart), espnow_deaf_every (receptions)."""
    global _clock, _node_id, _air_port, _faults
    _clock, _node_id, _air_port, _faults = clock, node_id, air_port, faults


def _fail(code):
    raise OSError(-code, _NAMES[code])


_air = None


class ESPNow:
    peers_table = {}
    _peers = []
    _timeout_ms = _DEFAULT_TIMEOUT_MS
    _rx_bytes = _DEFAULT_RX_BYTES
    _reused = [None, bytearray(MAX_DATA_LEN)]
    _receptions = 0
    _failures = 0

    def active(self, on=None):
        global _air
        if on and _air is None:
            _air = sim_air.Air(_clock, _node_id, _air_port, self._rx_bytes, self.peers_table)
        elif on is not None and not on and _air is not None:
            _air.close()
            _air = None
            ESPNow._peers.clear()
        return _air is not None

    def config(self, name=None, **settings):
        if name is not None:
            return {"timeout_ms": self._timeout_ms, "rxbuf": self._rx_bytes}[name]
        for key, value in settings.items():
            if key == "timeout_ms":
                ESPNow._timeout_ms = value
            elif key == "rxbuf":  # in force from the next active(True)
                ESPNow._rx_bytes = value
            elif key != "rate":
                raise ValueError("unknown config param")

    def stats(self):
        """(sent, answered, not heard, received, dropped for want of room), since the radio was started."""
        self._must_be_active()
        _air.listen(0)
        return _air.sent, _air.sent, self._failures, _air.received, _air.dropped

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
        no_mem_after = _faults.get("espnow_no_mem_after")
        if no_mem_after is not None and _air.sent >= no_mem_after:
            _fail(_NO_MEM)  # until Wi-Fi and ESP-NOW are started anew
        heard = [self._send_one(target, msg) for target in targets]
        return all(heard) or not sync

    def _send_one(self, target, msg):
        _air.sent += 1
        heard = _air.send(target, msg) or target == _BROADCAST
        ESPNow._failures += not heard
        _clock.charge((_SEND_MS if heard else _NO_ACK_MS) * 1000)
        _clock.now_us()
        return heard

    def any(self):
        self._must_be_active()
        _air.listen(0)
        return bool(_air.waiting)

    def recv(self, timeout_ms=None):
        """[mac, packet], or (None, None) when the time is over."""
        mac, packet = self.irecv(timeout_ms)
        return (None, None) if mac is None else [mac, bytes(packet)]

    def irecv(self, timeout_ms=None):
        """As `recv`, but the list and the bytearray in it are the same at every call."""
        self._must_be_active()
        timeout_ms = self._timeout_ms if timeout_ms is None else timeout_ms
        start_us = _clock.now_us()
        while True:
            if not _air.waiting:
                _air.listen(sim_hosts.slice_ms(timeout_ms) if timeout_ms >= 0 else sim_hosts.SLICE_MS)
            if _air.waiting:
                return self._received(*_air.take())
            if 0 <= timeout_ms * 1000 <= _clock.now_us() - start_us:
                return None, None

    def _received(self, mac, packet):
        ESPNow._receptions += 1
        every = _faults.get("espnow_deaf_every")
        if every and self._receptions % every == 0:
            return None, None  # as when the heap is too low for it: nothing is raised, the packet is gone
        self._reused[0] = mac
        self._reused[1][:] = packet
        return self._reused

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
