"""`socket` as the ESP32's: `setblocking(True)` clears the timeout; names and connections can stall.

Error numbers are the laptop's, for MicroPython compiles `errno.ETIMEDOUT` to a number; so firmware must use
the names.
"""

import errno
import io
import select as _real_select
import socket as _real

import sim_datagram
import sim_hosts
import simctl

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
IPPROTO_TCP = 6
SOL_SOCKET = 0xFFF
SO_REUSEADDR = 4
TCP_NODELAY = 1

_STREAM_POLL = 3
_STREAM_CLOSE = 4
_POLL_RD = 1
_POLL_WR = 4
_POLL_ERR = 8
_POLL_HUP = 16

_clock = None


def setup(clock):
    global _clock
    _clock = clock


def getaddrinfo(host, port, af=AF_INET, type=SOCK_STREAM, proto=0, flags=0):
    return [(AF_INET, type or SOCK_STREAM, 0, "", (sim_hosts.resolve(host), port))]


def socket(af=AF_INET, type=SOCK_STREAM, proto=0):
    if af != AF_INET:
        simctl.violation("only IPv4 is simulated")
    return sim_datagram.Datagrams() if type == SOCK_DGRAM else _Stream()


class _Stream(io.IOBase):
    def __init__(self):
        self.real = _real.socket()
        self.connected = False
        self._failed = 0
        self._silent = False
        self._timeout_us = None
        self._poller = _real_select.poll()
        sim_hosts.open_sockets.append(self)

    def settimeout(self, seconds):
        self._timeout_us = None if seconds is None else int(seconds * 1_000_000)

    def setblocking(self, blocking):
        # Here the laptop's port lies: it keeps the timeout. The ESP32 waits for ever.
        self._timeout_us = None if blocking else 0

    def setsockopt(self, level, option, value):
        pass

    def connect(self, address):
        try:
            self._connect(sim_hosts.resolve(address[0]))
        except OSError as error:
            if self._timeout_us != 0:
                raise
            self._failed = error.errno  # told by the next read or write
        if self._timeout_us == 0:
            raise OSError(errno.EINPROGRESS)

    def _connect(self, address):
        self.connected = sim_hosts.connect(self.real, address)
        self._silent = not self.connected
        if self.connected:
            self._poller.register(self.real, _real_select.POLLIN)
        elif self._timeout_us != 0:
            self._stall(self._timeout_us)

    def silent(self):
        """Whether nothing will be heard from the other end."""
        return self._silent or (self.connected and sim_hosts.stalled())

    def _stall(self, left_us):
        _clock.stall(left_us)
        raise OSError(errno.ETIMEDOUT)

    def _wait(self, event):
        """Wait for `event`: ETIMEDOUT when the timeout is over, EAGAIN when the socket does not block."""
        if self._failed:
            raise OSError(self._failed)
        if not self.connected and not self._silent:
            raise OSError(errno.ENOTCONN)
        if self._timeout_us == 0:
            if not self._ready(event):
                raise OSError(errno.EAGAIN)
            return
        start_us = _clock.now_us()
        left_us = self._timeout_us
        while not self._ready(event):
            if left_us is not None and left_us <= 0:
                raise OSError(errno.ETIMEDOUT)
            if self.silent():
                self._stall(left_us)
            sim_hosts.pause(self._poller, sim_hosts.SLICE_MS)
            if left_us is not None:
                left_us = self._timeout_us - (_clock.now_us() - start_us)

    def recv(self, count):
        while True:
            self._wait(_real_select.POLLIN)
            try:
                got = self.real.recv(count)
                simctl.stats.rx_bytes += len(got)
                return got
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise

    def send(self, sent):
        sent = sent.encode() if isinstance(sent, str) else sent
        while True:
            self._wait(_real_select.POLLOUT)
            try:
                count = self.real.send(sent)
                simctl.stats.tx_bytes += count
                return count
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise

    def sendall(self, sent):
        self.write(sent)

    def read(self, count=-1):
        got = b""
        while count < 0 or len(got) < count:
            try:
                part = self.recv(4096 if count < 0 else count - len(got))
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return got or None
                raise  # what has come so far is lost, as on the board
            if not part:
                break
            got += part
        return got

    def readinto(self, buf, count=None):
        try:
            got = self.recv(len(buf) if count is None else count)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return None
            raise
        buf[: len(got)] = got
        return len(got)

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            got = self.read(1)
            if not got:
                break
            line += got
        return line

    def write(self, sent, count=None):
        sent = memoryview(sent.encode() if isinstance(sent, str) else sent)
        total = len(sent) if count is None else count
        done = 0
        while done < total:
            try:
                done += self.send(sent[done:total])
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return done or None
                raise
        return done

    def ioctl(self, op, argument):
        if op == _STREAM_CLOSE:
            self.close()
            return 0
        if op != _STREAM_POLL:
            return -1
        return self._ready(argument)

    def _ready(self, wanted):
        _clock.now_us()
        if self.silent():
            return 0
        if not self.connected:
            return _POLL_ERR | _POLL_HUP
        self._poller.modify(self.real, wanted & (_POLL_RD | _POLL_WR))
        ready = self._poller.poll(0)
        return ready[0][1] if ready else 0

    def makefile(self, *_):
        return self

    def close(self):
        if self in sim_hosts.open_sockets:
            sim_hosts.open_sockets.remove(self)
            self.connected = False
            self.real.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
