"""One sink's task: from its cursor onwards, batch by batch. Sinks know nothing of each other."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from derb_gateway.config import BatchSettings
from derb_gateway.errors import RetryError, SinkRefused
from derb_gateway.progress import Progress
from derb_gateway.quarantine import Quarantine, Refusal
from derb_gateway.reader import readings_after
from derb_gateway.registry import Registry
from derb_gateway.sinks.base import Batch, Sink
from derb_gateway.store import Store, StoredReading
from derb_gateway.upstream import upstream_reading
from derb_gateway.writer import Writer

log = logging.getLogger(__name__)


class Forwarder:
    """Delivers each reading at least once, in order; the sink's state makes it once in effect."""

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
        self.cursor = 0
        self.healthy = True
        self._sink = sink
        self._batching = batching
        self._retry_s = retry_s
        self._path = path
        self._writer = writer
        self._progress = progress
        self._registry = registry
        self._state: str | None = None
        self._draining = False

    def drain(self) -> None:
        """Deliver what there is without waiting for more, then end."""
        self._draining = True
        self._progress.wake()

    async def run(self) -> None:
        """Forward until drained; a sink that is away is tried for ever."""
        self.cursor, self._state = await self._writer.do(lambda store: store.cursor(self.name))
        try:
            async for attempt in self._attempts():
                with attempt:
                    self._state = await self._sink.open(self._state)
            while await self._more():
                async for attempt in self._attempts():
                    with attempt:
                        await self._step()
        finally:
            await self._sink.close()

    async def _more(self) -> bool:
        """Wait until a batch is full or old enough; return False when drained."""
        while self._progress.last_id <= self.cursor:
            if self._draining:
                return False
            await self._progress.change()
        try:
            async with asyncio.timeout(self._batching.batch_age_s):
                while self._progress.last_id < self.cursor + self._batching.batch_size and not self._draining:
                    await self._progress.change()
        except TimeoutError:
            pass  # old enough
        return True

    async def _step(self) -> None:
        last_id = self._progress.last_id
        rows = await asyncio.to_thread(readings_after, self._path, self.cursor, self._batching.batch_size)
        if rows:
            await self._deliver(rows)
            self.healthy = True
        else:
            self.cursor = last_id  # the rest was pruned or went with a damaged file

    async def _deliver(self, rows: list[StoredReading]) -> None:
        """Deliver; a batch that is refused is halved until only what cannot be delivered is left out."""
        registry = self._registry()
        batch = Batch(rows[0].id, rows[-1].id, [upstream_reading(row, registry) for row in rows])
        try:
            state = await self._sink.deliver(batch, self._state)
        except SinkRefused as refused:
            if len(rows) == 1:
                await self._leave_out(batch, str(refused))
                return
            middle = len(rows) // 2
            await self._deliver(rows[:middle])
            await self._deliver(rows[middle:])
        else:
            await self._passed(batch.last_id, state, Counter({f"forwarded.{self.name}": len(rows)}))

    async def _leave_out(self, batch: Batch, why: str) -> None:
        raw = json.dumps(batch.readings[0]).encode()
        refusal = Refusal(f"sink/{self.name}", "sink_refused", why, raw, len(raw), 0)
        log.error(
            "sink refused a reading", extra={"sink": self.name, "reading": batch.readings[0], "why": why}
        )

        def keep(store: Store) -> None:
            Quarantine(store.db, 1 << 30, 1 << 40).add(refusal)  # the intake caps it

        await self._writer.do(keep)
        await self._passed(batch.last_id, self._state, Counter({f"refused_by.{self.name}": 1}))

    async def _passed(self, last_id: int, state: str | None, counts: Counter[str]) -> None:
        def write(store: Store) -> None:
            store.save_cursor(self.name, last_id, state)
            store.count(counts)

        await self._writer.do(write)
        self.cursor, self._state = last_id, state

    def _attempts(self) -> AsyncRetrying:
        base_s, max_s = self._retry_s
        return AsyncRetrying(
            retry=retry_if_exception_type(Exception),  # whatever is wrong with one sink ends nothing else
            wait=wait_random_exponential(multiplier=base_s, max=max_s),
            before_sleep=self._failed,
        )

    def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if self.healthy and error is not None:
            known = isinstance(error, RetryError)
            log.warning(
                "sink is away",
                extra={"sink": self.name, "why": str(error) if known else repr(error)},
                exc_info=None if known else error,
            )
        self.healthy = False
