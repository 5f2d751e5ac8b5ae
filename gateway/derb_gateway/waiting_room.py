"""Nodes that are not in the registry, and the latest frames of each; capped, so that a crowd of made-up ones costs little.

Nothing of a frame is believed until an operator brings the node's key. Whoever speaks once is the first to go: a node of
ours speaks again.
"""

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from derb_gateway.arrivals import Arrival
from derb_gateway.clock import iso_utc

FRAMES_A_NODE = 16
_SLACK_PART = 8  # so much over the cap is let grow before the longest unseen go, all at once


class Waiting(NamedTuple):
    """One unknown node; `relay` and `rssi_dbm` of its latest frame, None where there was no relay."""

    node: str
    first_ms: int
    last_ms: int
    frames: int
    relay: str | None
    rssi_dbm: int | None


class WaitingRoom:
    """The tables `waiting` and `waiting_frame`; runs inside the writer's transactions."""

    def __init__(self, db: sqlite3.Connection, max_nodes: int) -> None:
        self._db = db
        self._max_nodes = max_nodes
        self._nodes = self._count()

    def add(self, node: str, arrival: Arrival) -> None:
        """Keep a node's frame."""
        seen = self._db.execute(
            "UPDATE waiting SET last_ms = ?, count = count + 1, relay = ?, rssi_dbm = ? WHERE node = ?",
            (arrival.received_ms, arrival.relay, arrival.rssi_dbm, node),
        )
        if not seen.rowcount:
            row = (node, arrival.received_ms, arrival.received_ms, 1, arrival.relay, arrival.rssi_dbm)
            self._db.execute("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?)", row)
            self._nodes += 1
        self._db.execute(
            "INSERT INTO waiting_frame (node, raw, received_ms, error_ms, synchronised) VALUES (?, ?, ?, ?, ?)",
            (node, arrival.payload, arrival.received_ms, arrival.error_ms, arrival.synchronised),
        )
        self._db.execute(
            "DELETE FROM waiting_frame WHERE id IN"
            " (SELECT id FROM waiting_frame WHERE node = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
            (node, FRAMES_A_NODE),
        )
        if self._nodes > self._max_nodes + self._max_nodes // _SLACK_PART:
            self._shed(self._nodes - self._max_nodes)

    def frames(self, nodes: Collection[str]) -> Iterator[Arrival]:
        """Yield what was kept of those of these nodes that wait, as it came."""
        here = [node for (node,) in self._db.execute("SELECT node FROM waiting ORDER BY node")]
        for node in here:
            if node in nodes:
                query = "SELECT raw, received_ms, error_ms, synchronised FROM waiting_frame WHERE node = ? ORDER BY id"
                for raw, received_ms, error_ms, synchronised in self._db.execute(query, (node,)).fetchall():
                    yield Arrival.of(
                        f"d/{node}/u",
                        raw,
                        dup=True,  # the node was given no receipt: it sends the same again
                        received_ms=received_ms,
                        error_ms=error_ms,
                        synchronised=bool(synchronised),
                        held=True,
                    )

    def let_go(self, nodes: Collection[str]) -> None:
        """Take nodes out."""
        for (node,) in self._db.execute("SELECT node FROM waiting").fetchall():
            if node in nodes:
                self._db.execute("DELETE FROM waiting_frame WHERE node = ?", (node,))
                self._db.execute("DELETE FROM waiting WHERE node = ?", (node,))
        self._nodes = self._count()

    def _shed(self, number: int) -> None:
        gone = "SELECT node FROM waiting ORDER BY min(count, 3), last_ms, node LIMIT ?"
        self._db.execute(f"DELETE FROM waiting_frame WHERE node IN ({gone})", (number,))  # noqa: S608 - ours
        self._db.execute(f"DELETE FROM waiting WHERE node IN ({gone})", (number,))  # noqa: S608 - ours
        self._nodes = self._count()

    def _count(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM waiting").fetchone()[0])


def waiting_nodes(db: sqlite3.Connection) -> list[Waiting]:
    """Return who waits, the latest heard first."""
    query = "SELECT node, first_ms, last_ms, count, relay, rssi_dbm FROM waiting ORDER BY last_ms DESC, node"
    return [Waiting(*row) for row in db.execute(query)]


def waiting_json(waiting: Waiting) -> dict[str, Any]:
    """Return what an operator wants to know of a stranger."""
    return {
        "first_seen": iso_utc(waiting.first_ms),
        "last_seen": iso_utc(waiting.last_ms),
        "frames": waiting.frames,
        "relay": waiting.relay,
        "rssi_dbm": waiting.rssi_dbm,
    }
