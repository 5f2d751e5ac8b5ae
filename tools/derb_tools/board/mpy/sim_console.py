"""The board's USB console on a terminal of the laptop: `sys` with its stdin and stdout, stricter than the chip.

`print` goes to the supervisor's log all the same.
"""

import select as _select
import sys as _sys

import simctl


class _Buffer:
    def __init__(self, tty, poller):
        self._tty, self._poller = tty, poller

    def read(self, count):
        """On the chip this waits until so many bytes are there, deadline or not."""
        received = b""
        while len(received) < count:
            if not self._poller.poll(0):
                simctl.violation("the console was asked for %d bytes and has %d" % (count, len(received)))
            received += self._tty.read(1)
        return received

    def write(self, sent):
        written = 0
        while written < len(sent):
            written += self._tty.write(memoryview(sent)[written:])
        return written


class Console:
    """sys.stdin and sys.stdout; `real` is what `select` polls."""

    def __init__(self, path):
        self.real = open(path, "r+b", buffering=0)
        poller = _select.poll()
        poller.register(self.real, _select.POLLIN)
        self.buffer = _Buffer(self.real, poller)


class Sys:
    """The module `sys` but for the console."""

    def __init__(self, console):
        self.stdin = self.stdout = console

    def __getattr__(self, name):
        return getattr(_sys, name)
