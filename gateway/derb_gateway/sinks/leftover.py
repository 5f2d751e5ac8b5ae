"""What a sink refused for good: put aside one by one, and offered again when an operator wants it."""

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from derb_gateway.errors import SinkRetry
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.store import StoredReading

log = logging.getLogger(__name__)

_AT_ONCE = 200
_FLOOD = 50


class Leftover:
    """One sink's part of the refused readings."""

    def __init__(self, sink: str, store: Path, check_s: float) -> None:
        """`check_s`: how often to look for what an operator wants tried again."""
        self.check_s = check_s
        self.wanted: list[StoredReading] = []
        self._sink = sink
        self._book = RefusedBook(refused_path(store))
        self._look_at = 0.0
        self._in_a_row = 0

    async def due(self) -> bool:
        """Return whether there is something to be tried again, having looked at the file if it is time to."""
        now_s = time.monotonic()
        if not self.wanted and now_s >= self._look_at:
            self._look_at = now_s + self.check_s
            self.wanted = await asyncio.to_thread(self._book.wanted, self._sink, _AT_ONCE)
        return bool(self.wanted)

    async def keep(self, refused: Sequence[tuple[StoredReading, str]]) -> int:
        """Put readings aside, each with the sink's reason; return how many older ones had to go. StoreError."""
        for reading, why in refused:
            key = f"{reading.node}:{reading.boot}:{reading.seq}"
            log.error("sink refused a reading", extra={"sink": self._sink, "key": key, "why": why})
        self._in_a_row += len(refused)
        return await asyncio.to_thread(self._keep, refused)

    async def replayed(self, taken: Sequence[StoredReading]) -> None:
        """Forget readings that were taken after all."""
        await asyncio.to_thread(self._book.delivered, self._sink, taken)

    def replay_ended(self) -> None:
        """Look at once for more."""
        self.wanted, self._look_at = [], 0.0

    def something_was_taken(self) -> None:
        """Note that the sink does take readings."""
        self._in_a_row = 0

    def check_flood(self) -> None:
        """SinkRetry if the sink takes nothing at all: then the sink is wrong, not the readings, and haste helps nobody."""
        if self._in_a_row >= _FLOOD:
            msg = f"it refused the last {self._in_a_row} readings, each by itself: is it the right place, in the right format?"
            raise SinkRetry(msg)

    def _keep(self, refused: Sequence[tuple[StoredReading, str]]) -> int:
        now_ms = time.time_ns() // 1_000_000
        return sum(self._book.keep(self._sink, reading, why, now_ms) for reading, why in refused)
