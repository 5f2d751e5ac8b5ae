"""Downlinks for nodes that sleep, each until its node is heard, or as long as the gateway says. Pure."""


class Held:
    """The newest downlink of at most `room` nodes; when there is no room it says so, and the gateway knows."""

    def __init__(self, room, ticks_add, ticks_diff):
        self._room = room
        self._add = ticks_add
        self._diff = ticks_diff
        self._of = {}  # node: (end, frame)

    def __len__(self):
        return len(self._of)

    def put(self, now, hold_s, node, frame):
        """Keep `frame`, instead of an older one; return False if there is no room."""
        self._drop_old(now)
        if node not in self._of and len(self._of) >= self._room:
            return False
        self._of[node] = self._add(now, hold_s * 1000), frame
        return True

    def take(self, now, node):
        """Return what is held for `node`, or None; it is held no longer."""
        end, frame = self._of.pop(node, (now, None))
        return frame if frame and self._diff(end, now) > 0 else None

    def forget(self, node):
        """Drop what is held for a node: there is something newer for it."""
        self._of.pop(node, None)

    def _drop_old(self, now):
        for node in [node for node, (end, _) in self._of.items() if self._diff(end, now) <= 0]:
            del self._of[node]
