"""What a registry leads to as time goes by: nodes let in, keys revoked, places closed and opened."""

import asyncio
import logging
from collections.abc import Callable

from derb_gateway.clock import Clock
from derb_gateway.errors import GatewayError
from derb_gateway.orders import OrderBook
from derb_gateway.place_book import report_places
from derb_gateway.registry import Registry
from derb_gateway.side_door import SideDoor
from derb_gateway.store import Store

log = logging.getLogger(__name__)

_LOOK_S = 5.0  # a wall clock that jumps is noticed so late at most
_LATE_EVERY_MS = 300_000  # what a node held back while its place was closed is looked for so often


class RegistryKeeper:
    """One task. `put_in_force` is given a registry with fewer keys."""

    def __init__(
        self,
        registry: Callable[[], Registry],
        put_in_force: Callable[[Registry], None],
        clock: Clock,
        door: SideDoor,
        orders: OrderBook,
    ) -> None:
        self._registry = registry
        self._put_in_force = put_in_force
        self._clock = clock
        self._door = door
        self._orders = orders
        self._places_due_ms = 0
        self._changed = asyncio.Event()
        self._changed.set()

    def changed(self) -> None:
        """Look at once: another registry is in force."""
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                self._changed.set()  # what it leads to is still to be done
                known = isinstance(error, GatewayError)
                log.warning(
                    "registry not followed", extra={"why": repr(error)}, exc_info=None if known else error
                )
                await asyncio.sleep(_LOOK_S)
            await self._change_or_time()

    async def look(self) -> None:
        """Do what is due now. StoreError."""
        if expired := self._registry().expired(self._clock.wall_ms()):
            self._put_in_force(self._registry().without_keys(expired))
            log.info("keys revoked", extra={"nodes": sorted(expired)})
        if self._changed.is_set():
            self._changed.clear()
            self._places_due_ms = 0
            await self._let_in()
        now_ms = self._clock.wall_ms()
        if not self._places_due_ms - _LATE_EVERY_MS <= now_ms < self._places_due_ms:
            await self._report_places(now_ms)

    async def _report_places(self, now_ms: int) -> None:
        """Say what was closed and what was opened; the sinks get it as they get readings."""
        registry, synchronised = self._registry(), self._clock.synchronised()

        def write(store: Store) -> tuple[int, int]:
            told = report_places(store, registry, self._orders, now_ms, synchronised=synchronised)
            return told, store.last_id()

        told, last_id = await self._door.writer.do(write)
        self._places_due_ms = min(registry.closures.next_change(now_ms), now_ms + _LATE_EVERY_MS)
        if told:
            self._door.progress.reached(last_id)
            log.info("places reported", extra={"reports": told})

    async def _let_in(self) -> None:
        """Take what nodes sent that wait no longer; they get their receipts when they next speak."""
        outcome = await self._door.writer.do(self._door.intake.let_in)
        if outcome.ranges:
            await self._door.passed(outcome)
            log.info("nodes let in", extra={"nodes": sorted(outcome.ranges)})

    async def _change_or_time(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_S / self._clock.speed):
                await self._changed.wait()
        except TimeoutError:
            pass  # time has passed, and with it perhaps something has come due
