"""One sink's task: from its cursor onwards, batch by batch. Sinks know nothing of each other."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from derb_gateway.errors import RetryError, SinkPartly, SinkRefused, SinkRetry
from derb_gateway.progress import Progress
from derb_gateway.reader import next_id, readings_after
from derb_gateway.registry import Registry
from derb_gateway.sink_settings import BatchSettings
from derb_gateway.sinks.base import Lane, Sink
from derb_gateway.sinks.lanes import Lanes, Stretch, load_lanes, save_lanes
from derb_gateway.sinks.leftover import Leftover
from derb_gateway.sinks.pace import Pace
from derb_gateway.sinks.pieces import Piece, piece, within_bytes
from derb_gateway.store import Store, StoredReading
from derb_gateway.writer import Writer

log = logging.getLogger(__name__)

_TRIES_OF_A_PART = 8  # of readings that are not taken while others of their batch are
_LONGEST_PAUSE_S = 300.0  # whatever an upstream says


class Forwarder:
    """Delivers each reading at least once, in order in each lane; what the sink makes of it makes it once in effect."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        batching: BatchSettings,
        retry_s: tuple[float, float],
        *,
        path: Path,
        writer: Writer,
        progress: Progress,
        registry: Callable[[], Registry],
    ) -> None:
        """`retry_s`: first and largest bound of the wait after a failure; `path`: the store's file."""
        self.name = name
        self.healthy = True
        self.retries = 0
        self._lanes = Lanes(0)
        self._sink = sink
        self._batching = batching
        self._retry_s = retry_s
        self._jitter = wait_random_exponential(multiplier=retry_s[0], max=retry_s[1])
        self._path = path
        self._writer = writer
        self._progress = progress
        self._registry = registry
        self._state: str | None = None
        self._draining = False
        self._pieces: list[Piece] = []
        self._counts: Counter[str] = Counter()
        self._leftover = Leftover(name, path, batching.replay_check_s)
        self._pace = Pace(batching.max_per_s, batching.backfill_per_s, time.monotonic)

    @property
    def cursor(self) -> int:
        """Return the id up to which the sink has all readings."""
        return self._lanes.done

    def drain(self) -> None:
        """Deliver what there is without waiting for more, then end."""
        self._draining = True
        self._progress.wake()

    async def run(self) -> None:
        """Forward until drained; a sink that is away is tried for ever."""
        self._lanes, self._state = await self._writer.do(lambda store: load_lanes(store, self.name))
        try:
            async for attempt in self._attempts():
                with attempt:
                    self._state = await self._sink.open(self._state)
            more = True
            while more:
                async for attempt in self._attempts():
                    with attempt:
                        if more := bool(self._pieces) or await self._more():
                            await self._step()
        finally:
            await self._sink.close()

    # What leaves next

    async def _more(self) -> bool:
        """Wait until something may leave; return False when drained."""
        while not await self._leftover.due():
            await self._split()
            wait_s = self._leftover.check_s
            if self._lanes.backlog():
                wait_s = self._pace.backfill_wait_s()
                if not wait_s or self._live():
                    return True
            elif self._live():
                await self._gather()
                return True
            elif self._draining:
                return False
            await self._change(wait_s)
        return True

    async def _gather(self) -> None:
        """Wait until a batch is full or old enough."""
        try:
            async with asyncio.timeout(self._batching.batch_age_s):
                while (
                    self._progress.last_id < self._lanes.newest + self._batching.batch_size
                    and not self._draining
                ):
                    await self._progress.change()
        except TimeoutError:
            pass  # old enough

    async def _change(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self._progress.change()
        except TimeoutError:
            pass  # a look at the clock or at what an operator wants is due

    async def _split(self) -> None:
        """Give what comes now a lane of its own if it would have to wait for a long backlog."""
        top, batching = self._progress.last_id, self._batching
        if not batching.live_after or top - self._lanes.newest <= batching.live_after:
            return
        first = await asyncio.to_thread(next_id, self._path, self._lanes.newest)
        hole = top if first is None else first - 1  # a new store's ids begin far above those of the last
        lanes = self._lanes.passed("live", max(self._lanes.newest, min(hole, top)))
        self._lanes = lanes.split(top, batching.live_after, batching.batch_size)

    def _live(self) -> Stretch | None:
        return self._lanes.live(self._progress.last_id)

    async def _step(self) -> None:
        """Deliver one batch a lane, in as many pieces as the sink makes of it."""
        if not self._pieces:
            await self._take()
        while self._pieces:
            if wait_s := self._pace.wait_s():
                await asyncio.sleep(wait_s)
            await self._deliver(self._pieces[0])

    async def _take(self) -> None:
        """Take what leaves next: what an operator wants, else what is new, and behind it some of the past."""
        if self._leftover.wanted:
            await self._load("replay", 0, self._leftover.wanted)
            return
        await self._split()
        backlog, live = self._lanes.backlog(), self._live()
        if live:
            await self._read("live", live)
        if backlog and not self._pace.backfill_wait_s():
            await self._read("backfill", backlog)

    async def _read(self, lane: Lane, stretch: Stretch) -> None:
        size = self._batching.batch_size
        if lane == "backfill":
            size = self._pace.backfill_size(size)
        rows = await asyncio.to_thread(readings_after, self._path, stretch.after, size, stretch.upto)
        kept = within_bytes(rows, self._batching.batch_bytes)
        if kept:  # what lies behind the last one was pruned or went with a damaged file
            await self._load(lane, stretch.upto if len(kept) == len(rows) < size else kept[-1].id, kept)
        else:
            self._lanes = self._lanes.passed(lane, stretch.upto)

    async def _load(self, lane: Lane, upto: int, rows: list[StoredReading]) -> None:
        self._pieces.append(await asyncio.to_thread(piece, lane, upto, rows, self._registry()))

    # What becomes of it

    async def _deliver(self, first: Piece) -> None:
        """Deliver; a batch that is refused is halved until only what cannot be delivered is left out."""
        start_s = time.monotonic()
        try:
            state = await self._sink.deliver(first.batch(), self._state)
        except SinkRefused as refused:
            if len(first.rows) > 1:
                self._pieces[:1] = first.halves()
            else:
                await self._leave_out(first, {0: str(refused)})
                await self._passed(first, self._state)
        except SinkPartly as partly:
            await self._partly(first, partly)
        except SinkRetry as retry:
            if retry.overloaded:
                self._pace.overloaded(retry.after_s)
            raise
        else:
            self._pace.took(len(first.rows), time.monotonic() - start_s, first.lane)
            await self._taken(first, first.rows)
            await self._passed(first, state)

    async def _partly(self, first: Piece, partly: SinkPartly) -> None:
        """Keep what is refused, try again what may be taken next time, but not for ever."""
        refused, again = first.sorted_out(partly)
        if first.tries >= _TRIES_OF_A_PART:
            refused, again = {**refused, **again}, {}
        await self._taken(
            first, [row for i, row in enumerate(first.rows) if i not in refused and i not in again]
        )
        await self._leave_out(first, refused)
        if again:
            self._pieces[0] = first.only(sorted(again))
            raise SinkRetry(str(partly))
        await self._passed(first, self._state)

    async def _taken(self, first: Piece, rows: Sequence[StoredReading]) -> None:
        if not rows:
            return
        self.healthy = True
        self._leftover.something_was_taken()
        self._counts[f"forwarded.{self.name}"] += len(rows)
        if first.lane == "replay":
            await self._leftover.replayed(rows)

    async def _leave_out(self, first: Piece, refused: dict[int, str]) -> None:
        if refused:
            shed = await self._leftover.keep([(first.rows[place], why) for place, why in refused.items()])
            self._counts.update({f"refused_by.{self.name}": len(refused), f"refused_shed.{self.name}": shed})

    async def _passed(self, first: Piece, state: str | None) -> None:
        """Commit how far the sink has got, together with what was counted on the way."""
        lanes = self._lanes if first.lane == "replay" else self._lanes.passed(first.lane, first.upto)
        counts = +self._counts

        def write(store: Store) -> None:
            save_lanes(store, self.name, lanes, state)
            store.count(counts)

        await self._writer.do(write)
        self._lanes, self._state = lanes, state
        self._counts -= counts
        self._pieces.pop(0)
        if first.lane == "replay" and not self._pieces:
            self._leftover.replay_ended()
        self._leftover.check_flood()

    def _attempts(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception_type(Exception),  # whatever is wrong with one sink ends nothing else
            wait=self._pause_s,
            before_sleep=self._failed,
        )

    def _pause_s(self, state: RetryCallState) -> float:
        """Return a wait with full jitter, but not before the upstream wants to be asked again."""
        error = state.outcome.exception() if state.outcome is not None else None
        after_s = error.after_s if isinstance(error, SinkRetry) else None
        if after_s is None:
            return float(self._jitter(state))
        return min(after_s, _LONGEST_PAUSE_S) + random.uniform(0, self._retry_s[0])

    def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        self.retries += 1
        if self.healthy and error is not None:
            known = isinstance(error, RetryError)
            log.warning(
                "sink is away",
                extra={"sink": self.name, "why": str(error) if known else repr(error)},
                exc_info=None if known else error,
            )
        self.healthy = False
