"""What a registry leads to as time goes by: waiting nodes are let in, keys that have had their time are revoked."""

import asyncio
import logging
from collections.abc import Callable

from derb_gateway.clock import Clock
from derb_gateway.errors import GatewayError
from derb_gateway.intake import Intake
from derb_gateway.orders import OrderBook
from derb_gateway.progress import Progress
from derb_gateway.registry import Registry
from derb_gateway.reports import note
from derb_gateway.writer import Writer

log = logging.getLogger(__name__)

_LOOK_S = 15.0  # a wall clock that jumps is noticed so late at most


class RegistryKeeper:
    """One task. `put_in_force` is given a registry with fewer keys."""

    def __init__(
        self,
        registry: Callable[[], Registry],
        put_in_force: Callable[[Registry], None],
        clock: Clock,
        writer: Writer,
        intake: Intake,
        progress: Progress,
        orders: OrderBook,
    ) -> None:
        self._registry = registry
        self._put_in_force = put_in_force
        self._clock = clock
        self._writer = writer
        self._intake = intake
        self._progress = progress
        self._orders = orders
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
            except GatewayError as error:
                self._changed.set()  # what it leads to is still to be done
                log.warning("registry not followed", extra={"why": str(error)})
                await asyncio.sleep(_LOOK_S)
            await self._change_or_time()

    async def look(self) -> None:
        """Do what is due now. StoreError."""
        if expired := self._registry().expired(self._clock.wall_ms()):
            self._put_in_force(self._registry().without_keys(expired))
            log.info("keys revoked", extra={"nodes": sorted(expired)})
        if self._changed.is_set():
            self._changed.clear()
            await self._let_in()

    async def _let_in(self) -> None:
        """Take what nodes sent that wait no longer; they get their receipts when they next speak."""
        outcome = await self._writer.do(self._intake.let_in)
        if outcome.ranges:
            await note(self._orders, outcome)
            self._progress.reached(outcome.last_id)
            log.info("nodes let in", extra={"nodes": sorted(outcome.ranges)})

    async def _change_or_time(self) -> None:
        try:
            async with asyncio.timeout(_LOOK_S / self._clock.speed):
                await self._changed.wait()
        except TimeoutError:
            pass  # time has passed, and with it perhaps something has come due
