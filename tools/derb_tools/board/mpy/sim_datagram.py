"""UDP as the ESP32's, as far as somebody answers: name servers do, by unicast and, for `.local`, by multicast."""

import errno
import io
import struct

import sim_hosts
import sim_network
import simctl

_DNS_PORTS = (53, 5353)
_ANSWER_MS = 15
_STREAM_POLL = 3
_STREAM_CLOSE = 4
_POLL_RD = 1
_NO_SUCH_NAME = 3
_POINTER = b"\xc0\x0c"

_clock = None
_open = []


def next_us():
    """In how many microseconds the next packet comes, None: none is on its way."""
    times = [socket.waiting[0][0] for socket in _open if socket.waiting]
    return max(1, min(times) - _clock.now_us()) if times else None


def setup(clock):
    global _clock
    _clock = clock


class Datagrams(io.IOBase):
    def __init__(self):
        self.waiting = []  # (when it comes in us, packet, sender)
        _open.append(self)

    def setblocking(self, blocking):
        if blocking:
            simctl.violation("datagrams are only simulated without blocking")

    def sendto(self, packet, target):
        if not sim_network.connected():
            raise OSError(errno.EHOSTUNREACH)
        simctl.stats.tx_bytes += len(packet)
        if target[1] not in _DNS_PORTS:
            return len(packet)
        host = _name_in(packet)
        address = sim_hosts.answer(host)
        if address is not None and host.endswith(".local") == (target[1] == _DNS_PORTS[1]):
            sender = ("10.77.0.2", target[1]) if host.endswith(".local") else target
            self.waiting.append((_clock.now_us() + _ANSWER_MS * 1000, _answer(packet, address), sender))
        return len(packet)

    def recvfrom(self, count):
        if not self._due():
            raise OSError(errno.EAGAIN)
        _, packet, sender = self.waiting.pop(0)
        simctl.stats.rx_bytes += len(packet)
        return packet[:count], sender

    def ioctl(self, op, argument):
        if op == _STREAM_POLL:
            return argument & _POLL_RD if self._due() else 0
        if op == _STREAM_CLOSE:
            self.close()
            return 0
        return -1

    def close(self):
        self.waiting = []
        if self in _open:
            _open.remove(self)

    def _due(self):
        return bool(self.waiting) and _clock.now_us() >= self.waiting[0][0]


def _name_in(query):
    labels, at = [], 12
    while query[at]:
        labels.append(bytes(query[at + 1 : at + 1 + query[at]]).decode())
        at += 1 + query[at]
    return ".".join(labels)


def _answer(query, address):
    flags = 0x8180 if address else 0x8180 | _NO_SUCH_NAME
    head = bytes(query[:2]) + struct.pack(">HHHHH", flags, 1, 1 if address else 0, 0, 0)
    if not address:
        return head + query[12:]
    packed = bytes(int(part) for part in address.split("."))
    return head + query[12:] + _POINTER + struct.pack(">HHIH", 1, 1, 60, 4) + packed
