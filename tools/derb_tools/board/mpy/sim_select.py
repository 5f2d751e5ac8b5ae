"""`select` over the simulated sockets, on the board's clock: a dead network costs no real time."""

import select as _real
import sys

import sim_console
import sim_datagram
import sim_hosts
import sim_uart

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16

_SLICE_US = 5000
_REAL_SLICE_MS = 20

_clock = None


def setup(clock):
    global _clock
    _clock = clock


class poll:
    def __init__(self):
        self._real = _real.poll()
        self._console = False  # whether a terminal of the laptop is among the streams: then waiting is real

    def register(self, stream, eventmask=POLLIN | POLLOUT):
        if isinstance(stream, sim_console.Console):
            self._console = True
            stream = stream.real
        elif stream is sys.stdin:
            # The laptop's own carries the supervisor's order: the board's console is UART 0.
            stream = sim_uart.console
        self._real.register(stream, eventmask)

    def unregister(self, stream):
        self._real.unregister(stream)

    def modify(self, stream, eventmask):
        self._real.modify(stream, eventmask)

    def poll(self, timeout=-1):
        until_us = None if timeout < 0 else _clock.now_us() + timeout * 1000
        while True:
            ready = self._real.poll(0)
            us = _clock.now_us()
            if ready or (until_us is not None and us >= until_us):
                return ready
            self._wait(None if until_us is None else until_us - us)

    def ipoll(self, timeout=-1, flags=0):
        return iter(self.poll(timeout))

    def _wait(self, left_us):
        packet_us = sim_datagram.next_us()
        if packet_us is not None and (left_us is None or packet_us < left_us):
            _clock.stall(packet_us)
        elif self._console:
            ms = _REAL_SLICE_MS if left_us is None else min(left_us // 1000 + 1, _REAL_SLICE_MS)
            self._real.poll(ms)
        elif sim_hosts.stalled():
            _clock.stall(left_us)
        elif not sim_hosts.wait(_SLICE_US if left_us is None else min(left_us, _SLICE_US)):
            _clock.stall(left_us)


def select(readers, writers, failed, timeout=None):
    poller = poll()
    wanted = {}
    for streams, event in ((readers, POLLIN), (writers, POLLOUT)):
        for stream in streams:
            wanted[id(stream)] = wanted.get(id(stream), 0) | event
            poller.register(stream, wanted[id(stream)])
    ready = {id(s): event for s, event in poller.poll(-1 if timeout is None else int(timeout * 1000))}
    broken = POLLERR | POLLHUP
    return (
        [s for s in readers if ready.get(id(s), 0) & (POLLIN | broken)],
        [s for s in writers if ready.get(id(s), 0) & (POLLOUT | broken)],
        [s for s in failed if ready.get(id(s), 0) & broken],
    )
