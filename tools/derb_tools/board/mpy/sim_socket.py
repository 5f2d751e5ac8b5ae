"""`socket` as the ESP32's: `setblocking(True)` clears the timeout, and names and connections can stall for ever.

Error numbers are the laptop's, for MicroPython compiles `errno.ETIMEDOUT` to a number; so firmware must use the names.
Names resolve to addresses of a make-believe network, each of which stands for a host and port of the laptop.
"""

import errno
import io
import select as _real_select
import socket as _real

import sim_network
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
_SLICE_MS = 20
_DNS_MS = 15
_ROUND_TRIP_MS = 4
_DNS_FAILED = -202  # lwIP's EAI_FAIL

_clock = None
_faults = {}
_speed = 1
_names = {}
_hosts = {}
_open = []


def setup(clock, hosts, faults, speed):
    """`hosts`: name -> [host, port] on the laptop. `faults`: dns, connect, read -> "ok", "stall", "fail".

    `speed`, a whole number: how much faster than real the board's clock runs while it waits for a peer.
    """
    global _clock, _faults, _speed
    _clock, _faults, _speed = clock, faults, speed
    for number, name in enumerate(sorted(hosts)):
        address = name if _is_address(name) else "10.77.1.%d" % (number + 1)
        _names[name] = address
        _hosts[address] = hosts[name]
    clock.wait_on_network = wait


def _is_address(name):
    return name.replace(".", "").isdigit()


def getaddrinfo(host, port, af=AF_INET, type=SOCK_STREAM, proto=0, flags=0):
    if not _is_address(host):
        _resolve(host)
    return [(AF_INET, type or SOCK_STREAM, 0, "", (_names.get(host, host), port))]


def _resolve(host):
    if not sim_network.connected():
        raise OSError(_DNS_FAILED)
    if _faults["dns"] == "stall" or not sim_network.online():
        _clock.stall()  # getaddrinfo() has no timeout
    _clock.sleep(_DNS_MS * 1000)
    if _faults["dns"] == "fail" or host not in _names:
        raise OSError(_DNS_FAILED)


def stalled():
    return _faults["read"] == "stall" or not sim_network.online()


def wait(us):
    """Wait in real time until an open socket has something to say, at most `us`; False if there is none to wait for."""
    waiting = [each for each in _open if each.connected]
    if not waiting or stalled():
        return False
    poller = _real_select.poll()
    for each in waiting:
        poller.register(each.real, _real_select.POLLIN)
    until_us = _clock.raw_us() + us
    left_us = us
    while left_us > 0 and not _pause(poller, min(_SLICE_MS, left_us // 1000 // _speed + 1)):
        left_us = until_us - _clock.raw_us()
    return True


def _pause(poller, real_ms):
    """Poll in real time, in which the board's clock may run faster."""
    start_us = _clock.raw_us()
    ready = poller.poll(real_ms)
    _clock.charge((_clock.raw_us() - start_us) * (_speed - 1))
    return ready


class socket(io.IOBase):
    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=0):
        if af != AF_INET or type != SOCK_STREAM:
            simctl.violation("only TCP over IPv4 is simulated")
        self.real = _real.socket()
        self.connected = False
        self._failed = 0
        self._silent = False
        self._timeout_us = None
        self._poller = _real_select.poll()
        _open.append(self)

    def settimeout(self, seconds):
        self._timeout_us = None if seconds is None else int(seconds * 1_000_000)

    def setblocking(self, blocking):
        # Here the laptop's port lies: it keeps the timeout. The ESP32 waits for ever.
        self._timeout_us = None if blocking else 0

    def setsockopt(self, level, option, value):
        pass

    def connect(self, address):
        host, port = address[0], address[1]
        if not _is_address(host):
            host = getaddrinfo(host, port)[0][-1][0]
        if not sim_network.connected():
            raise OSError(errno.EHOSTUNREACH)
        try:
            self._connect(_hosts.get(host))
        except OSError as error:
            if self._timeout_us != 0:
                raise
            self._failed = error.errno  # told by the next read or write
        if self._timeout_us == 0:
            raise OSError(errno.EINPROGRESS)

    def _connect(self, target):
        if target is None or _faults["connect"] == "stall" or not sim_network.online():
            self._silent = True
            self._stall()
            return
        _clock.sleep(_ROUND_TRIP_MS * 1000)
        if _faults["connect"] == "fail":
            raise OSError(errno.ECONNREFUSED)
        self.real.connect(_real.getaddrinfo(target[0], target[1])[0][-1])
        self.real.setblocking(False)
        self._poller.register(self.real, _real_select.POLLIN)
        self.connected = True

    def silent(self):
        """Whether nothing will ever be heard from the other end."""
        return self._silent or (self.connected and stalled())

    def _stall(self):
        if self._timeout_us != 0:
            _clock.stall(self._timeout_us)
            raise OSError(errno.ETIMEDOUT)

    def _wait(self, event):
        """Wait for `event`: ETIMEDOUT when the timeout is over, EAGAIN when the socket does not block."""
        if self._failed:
            raise OSError(self._failed)
        if self.silent():
            self._stall()
            raise OSError(errno.EAGAIN)
        if not self.connected:
            raise OSError(errno.ENOTCONN)
        self._poller.modify(self.real, event)
        start_us = _clock.now_us()
        while stalled() or not _pause(self._poller, _SLICE_MS if self._timeout_us else 0):
            if self._timeout_us is not None and _clock.now_us() - start_us >= self._timeout_us:
                raise OSError(errno.ETIMEDOUT if self._timeout_us else errno.EAGAIN)
            if self._timeout_us is None:
                _pause(self._poller, _SLICE_MS)
                _clock.now_us()

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
        if self in _open:
            _open.remove(self)
            self.connected = False
            self.real.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
