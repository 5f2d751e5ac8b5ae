"""A socket that keeps its own deadline, whatever the library above does to it.

umqtt.simple calls `setblocking(True)` after the first byte of every packet. On the ESP32 that clears any timeout, and
a broker that falls silent in the middle of an acknowledgement would hold the node awake until its battery is empty.
So the real socket is non-blocking for ever, each read and write first waits with `poll`, and `setblocking` and
`settimeout` from above only say whether the *first* byte is waited for.
"""

import errno
import select
import socket

from derb import crumbs

# Images have differed in whether a connection under way is told with the C library's number or with lwIP's.
_UNDER_WAY = (errno.EINPROGRESS, errno.EAGAIN, 119)
_MOST_AT_ONCE = 512  # a downlink has 240 bytes, a topic 16


class PatientSocket:
    """What umqtt.simple needs of a socket; every wait ends with `deadline`, as an OSError(ETIMEDOUT)."""

    def __init__(self, deadline, tls=None, server=None, enter=None):
        """`tls` is an ssl.SSLContext or None; `server` the name that its certificate must bear; `enter` as in links/ways.py."""
        self._enter = enter
        self._deadline = deadline
        self._tls = tls
        self._server = server
        self._raw = self._stream = socket.socket()
        self._poll = select.poll()
        self._waits = True

    def connect(self, address):
        """Open the connection, with TLS if there is a context."""
        self._raw.setblocking(False)
        try:
            self._raw.connect(address)
        except OSError as e:
            if e.errno not in _UNDER_WAY:
                raise
        self._poll.register(self._raw, select.POLLOUT)
        self._wait(select.POLLOUT)
        if self._tls:
            if self._enter:
                self._enter(crumbs.SECURE)
            self._stream = self._tls.wrap_socket(
                self._raw, server_hostname=self._server, do_handshake_on_connect=False
            )
            self._poll.unregister(self._raw)
            self._poll.register(self._stream, select.POLLIN)

    def read(self, count):
        """Return exactly `count` bytes; None if nothing has come and the caller does not want to wait."""
        if count > _MOST_AT_ONCE:
            # A broker that announces so much is none of ours; the memory for it would be gone before the first byte came.
            raise OSError(errno.EINVAL)
        parts = bytearray()
        while len(parts) < count:
            chunk = self._stream.read(count - len(parts))
            if chunk:
                parts.extend(chunk)
            elif chunk is None:
                if not parts and not self._waits:
                    return None
                self._wait(select.POLLIN)
            else:
                raise OSError(errno.ECONNRESET)
        return bytes(parts)

    def write(self, buf, count=None):
        """Write all of `buf`, or its first `count` bytes."""
        view = memoryview(buf)[: len(buf) if count is None else count]
        while view:
            written = self._stream.write(view)
            if written:
                view = view[written:]
            else:
                self._wait(select.POLLOUT)

    def setblocking(self, flag):
        """Say whether the next read waits for its first byte."""
        self._waits = flag

    def settimeout(self, seconds):
        """Ignored but for its sign: the deadline is ours."""
        self._waits = seconds is None or seconds > 0

    def readable(self, deadline):
        """Wait until there is something to read; return False when `deadline` is over first."""
        self._poll.modify(self._stream, select.POLLIN)
        return bool(self._poll.poll(min(deadline.left(), self._deadline.left())))

    def close(self):
        """Close it; never waits."""
        self._stream.close()

    def _wait(self, events):
        self._poll.modify(self._stream, events)
        # A peer that gives one byte a second keeps poll content for ever, so the deadline is asked as well.
        if self._deadline.over():
            raise OSError(errno.ETIMEDOUT)
        # On a closed peer poll reports an error or a hang-up at once; the read or write that follows then fails by itself.
        if not self._poll.poll(self._deadline.left()):
            raise OSError(errno.ETIMEDOUT)


class PatientSockets:
    """Stands in for the `socket` module that umqtt.simple looks its names up in."""

    def __init__(self, deadline, tls=None, server=None, enter=None):
        self._arguments = deadline, tls, server, enter
        self.last = None

    def socket(self, *_):
        """Return a PatientSocket and remember it as `last`."""
        self.last = PatientSocket(*self._arguments)
        return self.last

    def getaddrinfo(self, address, port, *_):
        """Return what connects to an address; names are resolved elsewhere, with a deadline."""
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))]
