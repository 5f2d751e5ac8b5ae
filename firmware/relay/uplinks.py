"""Packets from the air until the gateway has taken them off the line: a bounded queue with a window. Pure.

That the gateway has taken one is no receipt: only the gateway gives those, once the readings are on its disk.
"""

from micropython import const

WINDOW = const(8)  # on the line and not yet taken
AGAIN_MS = const(1000)
_NUMBERS = const(256)


class Uplinks:
    """At most `room` packets; when one more comes the oldest goes, and is counted: its node still has the readings."""

    def __init__(self, room, ticks_diff):
        self._room = room
        self._diff = ticks_diff
        self._waiting = []  # [number, came, written or None, rssi_dbm, node, packet], oldest first
        self._next = 0
        self.dropped = 0
        self.again = 0  # written more than once

    def __len__(self):
        return len(self._waiting)

    def put(self, now, rssi_dbm, node, packet):
        """Add a packet that came at `now` (ticks)."""
        if len(self._waiting) >= self._room:
            del self._waiting[0]
            self.dropped += 1
        self._waiting.append([self._next, now, None, rssi_dbm, node, packet])
        self._next = (self._next + 1) % _NUMBERS

    def next(self, now):
        """Return (number, held_ms, rssi_dbm, node, packet) of what is to be written now, or None."""
        for entry in self._waiting[:WINDOW]:
            number, came, written, rssi_dbm, node, packet = entry
            if written is None or self._diff(now, written) >= AGAIN_MS:
                self.again += written is not None
                entry[2] = now
                return number, max(0, self._diff(now, came)), rssi_dbm, node, packet
        return None

    def taken(self, numbers):
        """Forget what the gateway has."""
        self._waiting = [entry for entry in self._waiting if entry[0] not in numbers]
