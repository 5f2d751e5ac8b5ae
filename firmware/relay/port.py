"""The serial line: the board's own USB console, which every ESP32 has, with its bytes taken for ourselves."""

import select

from micropython import const

ROOM = const(256)  # what the console's buffer takes while nobody reads

_MOST_AT_ONCE = const(512)


class Port:
    """Bytes in and out of `console_in` and `console_out` (sys.stdin, sys.stdout)."""

    def __init__(self, console_in, console_out):
        self._read = console_in.buffer.read
        self._write = console_out.buffer.write
        self._poll = select.poll()
        self._poll.register(console_in, select.POLLIN)

    def wait(self, ms):
        """Wait at most so long for bytes; return whether there are any."""
        return bool(self._poll.poll(ms))

    def read(self):
        """Return what waits. One byte at a time: asked for more than there is, the console waits for the rest."""
        received = bytearray()
        while len(received) < _MOST_AT_ONCE and self._poll.poll(0):
            byte = self._read(1)
            if not byte:
                break
            received.extend(byte)
        return bytes(received)

    def write(self, coded):
        """Write a whole frame."""
        self._write(coded)
