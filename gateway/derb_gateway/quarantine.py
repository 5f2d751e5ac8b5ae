"""What was refused, as it came, up to a number of rows and bytes; the same thing again only counts."""

import hashlib
import sqlite3
from typing import NamedTuple

RAW_KEPT_BYTES = 512
_TOPIC_KEPT = 128


class Refusal(NamedTuple):
    """A refused message; `raw` may be only the beginning of its `length` bytes."""

    topic: str
    reason: str
    detail: str
    raw: bytes
    length: int
    at_ms: int


class Quarantine:
    """The table `quarantine`, capped: the longest unseen goes first."""

    def __init__(self, db: sqlite3.Connection, max_rows: int, max_bytes: int) -> None:
        self._db = db
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self.rows, self.bytes = self._measure()

    def add(self, refusal: Refusal) -> None:
        """Keep a refusal, or count it if the same is there already."""
        raw, topic = refusal.raw[:RAW_KEPT_BYTES], refusal.topic[:_TOPIC_KEPT]
        digest = _digest(topic, refusal.reason, raw, refusal.length)
        seen = self._db.execute(
            "UPDATE quarantine SET count = count + 1, last_ms = ? WHERE digest = ?", (refusal.at_ms, digest)
        )
        if seen.rowcount:
            return
        self._db.execute(
            "INSERT INTO quarantine (digest, topic, reason, detail, raw, length, first_ms, last_ms, count)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
            (
                digest,
                topic,
                refusal.reason,
                refusal.detail,
                raw,
                refusal.length,
                refusal.at_ms,
                refusal.at_ms,
            ),
        )
        self.rows, self.bytes = self.rows + 1, self.bytes + len(raw)
        while self.rows > self._max_rows or self.bytes > self._max_bytes:
            self._shed()

    def _shed(self) -> None:
        """Delete a tenth at a time, so that a flood does not sort the table at every message."""
        self._db.execute(
            "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine ORDER BY last_ms, id LIMIT ?)",
            (max(1, self.rows // 10),),
        )
        self.rows, self.bytes = self._measure()

    def _measure(self) -> tuple[int, int]:
        row = self._db.execute("SELECT count(*), coalesce(sum(length(raw)), 0) FROM quarantine").fetchone()
        return int(row[0]), int(row[1])


def _digest(topic: str, reason: str, raw: bytes, length: int) -> bytes:
    head = f"{topic}\0{reason}\0{length}\0".encode(errors="replace")
    return hashlib.sha256(head + raw).digest()[:16]
