"""A simulated board's way to the air between the boards (`derb_tools.board.air`), with the driver's bounded buffer."""

import select as _select
import socket as _socket

import sim_hosts
import sim_network

_PACKET_BYTES = 300
_PACKET_HEAD_BYTES = 12  # what the port's ring buffer takes beside each packet
_HUB_MS = 1000
_SLICE_MS = 20


class Air:
    """This board's way to the hub. Without a hub nobody ever answers."""

    def __init__(self, clock, address, port, rx_bytes, signals):
        """`port`: the hub's, None where there is none; `signals` is the table that takes [dBm, ms] by address."""
        self._clock, self._address, self._port, self._signals = clock, address, port, signals
        self.waiting = []
        self.sent = 0  # since the radio was started
        self.received = self.dropped = 0
        self._room = rx_bytes
        self._acks = []
        self._channel = None
        self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._poller = _select.poll()
        self._poller.register(self._socket, _select.POLLIN)
        self._hub = _socket.getaddrinfo("127.0.0.1", self._port or 9)[0][-1]
        self.tune()

    def tune(self):
        """Tell the hub where this radio listens."""
        channel = sim_network.channel()
        if self._port and channel != self._channel:
            self._channel = channel
            self._socket.sendto(b"H" + self._address + bytes((channel,)), self._hub)

    def send(self, peer, packet):
        if not self._port:
            return False
        self.tune()
        self._socket.sendto(b"S" + self._address + peer + packet, self._hub)
        self._acks.clear()
        for _ in range(_HUB_MS // _SLICE_MS):
            self.listen(_SLICE_MS)
            if self._acks:
                return self._acks.pop()
        return False

    def listen(self, real_ms):
        """Take in what comes within that real time; what finds no room is dropped, as in the driver."""
        self.tune()
        while sim_hosts.pause(self._poller, real_ms):
            packet = self._socket.recv(_PACKET_BYTES)
            if packet[:1] == b"A":
                self._acks.append(packet[1:2] == b"\x01")
            elif sim_network.radio_is_on():
                self._keep(packet)
            real_ms = 0

    def _keep(self, packet):
        size = len(packet) - 8 + _PACKET_HEAD_BYTES
        if size > self._room:
            self.dropped += 1
            return
        self._room -= size
        self.received += 1
        rssi_dbm = packet[7] - 256 if packet[7] > 127 else packet[7]
        self._signals[packet[1:7]] = [rssi_dbm, self._clock.raw_us() // 1000]
        self.waiting.append((packet[1:7], packet[8:]))

    def take(self):
        mac, packet = self.waiting.pop(0)
        self._room += len(packet) + _PACKET_HEAD_BYTES
        return mac, packet

    def close(self):
        if self._port:
            self._socket.sendto(b"B" + self._address, self._hub)
        self._socket.close()
