"""One sink's task: from its cursor onwards, batch by batch. Sinks know nothing of each other."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from derb_gateway.errors import SinkPartly, SinkRefused, SinkRetry
from derb_gateway.progress import Progress
from derb_gateway.registry import Registry
from derb_gateway.sink_settings import BatchSettings
from derb_gateway.sinks.base import Sink
from derb_gateway.sinks.lanes import load_lanes, save_lanes
from derb_gateway.sinks.leftover import Leftover
from derb_gateway.sinks.lineup import Lineup
from derb_gateway.sinks.pace import Pace
from derb_gateway.sinks.patience import Patience
from derb_gateway.sinks.pieces import Piece
from derb_gateway.sinks.suspicion import Suspicion
from derb_gateway.store import Store, StoredReading
from derb_gateway.writer import Writer

_TRIES_OF_A_PART = 8  # of readings that are not taken while others of their batch are


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
        self._sink = sink
        self._batching = batching
        self._writer = writer
        self._progress = progress
        self._state: str | None = None
        self._draining = False
        self._halting = False
        self._counts: Counter[str] = Counter()
        self._leftover = Leftover(name, path, batching.replay_check_s)
        self._pace = Pace(batching.max_per_s, batching.backfill_per_s, time.monotonic)
        self._patience = Patience(name, retry_s)
        self._suspicion = Suspicion()
        self._lineup = Lineup(batching, path, progress, self._pace, registry)

    @property
    def healthy(self) -> bool:
        """Return whether the sink took something since it last failed."""
        return self._patience.healthy

    @property
    def retries(self) -> int:
        """Return how many attempts have failed since the start."""
        return self._patience.retries

    @property
    def cursor(self) -> int:
        """Return the id up to which the sink has all readings."""
        return self._lineup.lanes.done

    def drain(self) -> None:
        """Deliver what there is without waiting for more, then end."""
        self._draining = True
        self._progress.wake()

    def halt(self) -> None:
        """End after the batch that is under way; the next forwarder of this sink goes on behind it."""
        self._halting = self._draining = True
        self._progress.wake()

    async def run(self) -> None:
        """Forward until drained or halted; a sink that is away is tried for ever."""
        self._lineup.lanes, self._state = await self._writer.do_stubbornly(
            lambda store: load_lanes(store, self.name)
        )
        try:
            async for attempt in self._patience.attempts():
                with attempt:
                    self._state = await self._sink.open(self._state)
            more = True
            while more and not self._halting:
                async for attempt in self._patience.attempts():
                    with attempt:
                        if more := bool(self._lineup.pieces) or await self._more():
                            await self._step()
        finally:
            await self._sink.close()

    # When something leaves

    async def _more(self) -> bool:
        """Wait until something may leave; return False when drained."""
        lineup = self._lineup
        while not self._halting and not await self._leftover.due():
            await lineup.split()
            wait_s = self._leftover.check_s
            if lineup.lanes.backlog():
                wait_s = self._pace.backfill_wait_s()
                if not wait_s or lineup.live():
                    return True
            elif lineup.live():
                await self._gather()
                return True
            elif self._draining:
                return False
            await self._change(wait_s)
        return not self._halting

    async def _gather(self) -> None:
        """Wait until a batch is full or old enough."""
        full = self._lineup.lanes.newest + self._batching.batch_size
        try:
            async with asyncio.timeout(self._batching.batch_age_s):
                while self._progress.last_id < full and not self._draining:
                    await self._progress.change()
        except TimeoutError:
            pass  # old enough

    async def _change(self, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self._progress.change()
        except TimeoutError:
            pass  # a look at the clock or at what an operator wants is due

    async def _step(self) -> None:
        """Deliver one batch a lane, in as many pieces as the sink makes of it."""
        if not self._lineup.pieces:
            await self._lineup.take(self._leftover.wanted)
        while self._lineup.pieces and not self._halting:
            if wait_s := self._pace.wait_s():
                await asyncio.sleep(wait_s)
            await self._deliver(self._lineup.pieces[0])

    # What becomes of it

    async def _deliver(self, first: Piece) -> None:
        """Deliver; a batch that is refused is halved until only what cannot be delivered is left out."""
        start_s = time.monotonic()
        try:
            state = await self._sink.deliver(first.batch(), self._state)
        except SinkRefused as refused:
            if len(first.rows) > 1:
                self._lineup.pieces[:1] = first.halves()
            else:
                await self._leave_out(first, {0: str(refused)})
                await self._passed(first, self._state)
        except SinkPartly as partly:
            await self._partly(first, partly)
        except SinkRetry as retry:
            if retry.overloaded:
                self._pace.overloaded(retry.after_s)
            if not retry.suspect:
                raise
            await self._suspect(first, retry)
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
            self._lineup.pieces[0] = first.only(sorted(again))
            raise SinkRetry(str(partly))
        await self._passed(first, self._state)

    async def _suspect(self, first: Piece, retry: SinkRetry) -> None:
        """Find out whether a batch that fails as a whole is itself at fault; SinkRetry as long as that is not clear."""
        first = self._lineup.pieces[0] = replace(first, failures=first.failures + 1)
        verdict = self._suspicion.failed(first)
        if verdict == "give up":
            why = f"it failed {first.failures} times while others were taken: {retry}"
            await self._leave_out(first, {0: why})
            await self._passed(first, self._state)
            return
        if verdict == "halve":
            self._lineup.pieces[:1] = first.halves()
        elif verdict == "ask":
            self._suspicion.asked(taken=await self._takes_another(first))
        raise retry

    async def _takes_another(self, suspect: Piece) -> bool:
        """Offer a later reading; it is not noted as delivered, so in its turn it comes again as a repeat."""
        witness = await self._lineup.witness(suspect, self._suspicion.turn)
        if witness is None:
            return False
        try:
            await self._sink.deliver(witness.batch(), self._state)
        except (SinkRetry, SinkPartly, SinkRefused):
            return False
        return True

    async def _taken(self, first: Piece, rows: Sequence[StoredReading]) -> None:
        if not rows:
            return
        self._patience.healthy = True
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
        lineup = self._lineup
        lanes = lineup.lanes if first.lane == "replay" else lineup.lanes.passed(first.lane, first.upto)
        counts = +self._counts

        def write(store: Store) -> None:
            save_lanes(store, self.name, lanes, state)
            store.count(counts)

        await self._writer.do(write)
        lineup.lanes, self._state = lanes, state
        self._counts -= counts
        lineup.pieces.pop(0)
        self._suspicion.over()
        if first.lane == "replay" and not lineup.pieces:
            self._leftover.replay_ended()
        self._leftover.check_flood()
