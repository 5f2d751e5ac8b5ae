"""What leaves next for one sink, read from the store: a live lane, behind it some of the past, or what is wanted again."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from derb_gateway.progress import Progress
from derb_gateway.reader import next_id, readings_after
from derb_gateway.registry import Registry
from derb_gateway.sink_settings import BatchSettings
from derb_gateway.sinks.base import Lane
from derb_gateway.sinks.lanes import Lanes, Stretch
from derb_gateway.sinks.pace import Pace
from derb_gateway.sinks.pieces import Piece, piece, within_bytes
from derb_gateway.store import StoredReading

_WITNESSES = 16


class Lineup:
    """How far the lanes have got, and the pieces that were taken and are not delivered yet."""

    def __init__(
        self,
        batching: BatchSettings,
        path: Path,
        progress: Progress,
        pace: Pace,
        registry: Callable[[], Registry],
    ) -> None:
        """`path`: the store's file."""
        self.lanes = Lanes(0)
        self.pieces: list[Piece] = []
        self._batching = batching
        self._path = path
        self._progress = progress
        self._pace = pace
        self._registry = registry

    def live(self) -> Stretch | None:
        """Return what came and the live lane has not had."""
        return self.lanes.live(self._progress.last_id)

    async def split(self) -> None:
        """Give what comes now a lane of its own if it would have to wait for a long backlog. StoreError."""
        top, batching = self._progress.last_id, self._batching
        if not batching.live_after or top - self.lanes.newest <= batching.live_after:
            return
        first = await asyncio.to_thread(next_id, self._path, self.lanes.newest)
        hole = top if first is None else first - 1  # a new store's ids begin far above those of the last
        lanes = self.lanes.passed("live", max(self.lanes.newest, min(hole, top)))
        self.lanes = lanes.split(top, batching.live_after, batching.batch_size)

    async def take(self, wanted: list[StoredReading]) -> None:
        """Take what an operator wants, else what is new, and behind it some of the past. StoreError."""
        if wanted:
            await self._load("replay", 0, wanted)
            return
        await self.split()
        backlog, live = self.lanes.backlog(), self.live()
        if live:
            await self._read("live", live)
        if backlog and not self._pace.backfill_wait_s():
            await self._read("backfill", backlog)

    async def witness(self, suspect: Piece, turn: int) -> Piece | None:
        """Return one later reading, another one each turn, None if there is none. StoreError."""
        rows = await asyncio.to_thread(readings_after, self._path, suspect.rows[-1].id, _WITNESSES)
        if not rows:
            return None
        row = rows[turn % len(rows)]
        return await asyncio.to_thread(piece, suspect.lane, row.id, [row], self._registry())

    async def _read(self, lane: Lane, stretch: Stretch) -> None:
        most, pace = self._batching.batch_size, self._pace
        size = pace.backfill_size(most) if lane == "backfill" else pace.size(most)
        rows = await asyncio.to_thread(readings_after, self._path, stretch.after, size, stretch.upto)
        kept = within_bytes(rows, self._batching.batch_bytes)
        if kept:  # what lies behind the last one was pruned or went with a damaged file
            await self._load(lane, stretch.upto if len(kept) == len(rows) < size else kept[-1].id, kept)
        else:
            self.lanes = self.lanes.passed(lane, stretch.upto)

    async def _load(self, lane: Lane, upto: int, rows: list[StoredReading]) -> None:
        self.pieces.append(await asyncio.to_thread(piece, lane, upto, rows, self._registry()))
