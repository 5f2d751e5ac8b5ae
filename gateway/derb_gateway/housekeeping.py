"""What the store needs now and then: pruned, kept within its budget, read as a whole, its wear noted."""

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence

from derb_gateway import alarms, schema
from derb_gateway.config import StoreSettings
from derb_gateway.errors import GatewayError
from derb_gateway.progress import Progress
from derb_gateway.shedding import Shed, Shedding, remove, used_bytes
from derb_gateway.store import Store
from derb_gateway.wear import WRITTEN, Wear
from derb_gateway.writer import Writer

log = logging.getLogger(__name__)

_EVERY_S = 10.0
_NOTE_WEAR_S = 600.0  # to note it is wear too
_PRUNED_AT_ONCE = 5_000
_ROOM_PCT = 95  # of the budget; so far is shed once it is reached


class Housekeeping:
    """One task beside the intake; each of its transactions is short."""

    def __init__(
        self,
        settings: StoreSettings,
        sinks: Callable[[], Sequence[str]],
        writer: Writer,
        progress: Progress,
        wear: Wear,
    ) -> None:
        self.settings = settings
        self._sinks = sinks
        self._writer = writer
        self._progress = progress
        self._wear = wear
        self._shedding = Shedding(settings.path)
        self._over = False
        self._wear_noted_s = time.monotonic()

    async def run(self) -> None:
        """Work until cancelled."""
        await self._read_whole()
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.tidy()
            except GatewayError as error:
                self._shedding.begin_anew()
                log.warning("not pruned", extra={"why": str(error)})

    async def tidy(self) -> None:
        """Prune, make room if the budget is reached, note the wear. StoreError."""
        await self._prune(self.settings.keep_readings)
        await self._keep_budget()
        if time.monotonic() - self._wear_noted_s >= _NOTE_WEAR_S:
            await self.note_wear()

    async def note_wear(self) -> None:
        """Write down how much was written. StoreError."""
        self._wear_noted_s = time.monotonic()
        if written := self._wear.since_last():
            await self._writer.do(lambda store: store.count({WRITTEN: written}))

    async def _read_whole(self) -> None:
        """Look through a file that was too large to be looked through before the start."""
        path = self.settings.path
        try:
            if not schema.is_large(path):
                return
            fault = await asyncio.to_thread(schema.check_whole, path)
            if fault is not None:
                await self._writer.do(lambda _: _damaged(fault))
        except (OSError, sqlite3.Error, GatewayError) as error:
            log.warning("store not read as a whole", extra={"why": str(error)})

    async def _prune(self, keep: int, until_bytes: int = 0) -> int:
        """Delete what all sinks have but the last `keep`, until so little is in use; return how much is."""
        while True:
            gone, used = await self._writer.do(lambda store: self._pruned(store, keep))
            if gone < _PRUNED_AT_ONCE or used <= until_bytes:
                return used

    def _pruned(self, store: Store, keep: int) -> tuple[int, int]:
        return store.prune(keep, self._sinks(), _PRUNED_AT_ONCE), used_bytes(store.db)

    async def _keep_budget(self) -> None:
        budget = self.settings.budget_bytes
        room = budget * _ROOM_PCT // 100
        used = await self._writer.do(lambda store: used_bytes(store.db))
        if used <= budget:
            self._over = False
            return
        used = await self._prune(0, room)
        gone: Counter[str] = Counter()
        try:
            while used > room and (shed := await asyncio.to_thread(self._shedding.next)) is not None:
                used, went = await self._writer.do(lambda store, shed=shed: _shed(store, shed))  # type: ignore[misc]
                gone[shed.what] += went
        finally:
            await self._tell(gone)
        if used > budget:
            await self._nothing_may_go(used)

    async def _tell(self, gone: Counter[str]) -> None:
        """Say what went, once for all of it."""
        if not +gone:
            return
        log.error("readings shed", extra=dict(gone))
        told = " and ".join(f"{number} of {what}" for what, number in gone.items())
        detail = f"the budget is reached: readings that some sink had not yet had to go, {told}"
        await self._writer.do(
            lambda store: alarms.raise_alarm(store.db, alarms.READINGS_SHED, detail, _now_ms())
        )

    async def _nothing_may_go(self, used: int) -> None:
        """Say once that the store grows beyond its budget, with what may not be shed."""
        if self._over:
            return
        self._over = True
        detail = f"{used} bytes of {self.settings.budget_bytes}, and nothing that may be shed"
        log.error("store over its budget", extra={"used_bytes": used})
        await self._writer.do(
            lambda store: alarms.raise_alarm(store.db, alarms.STORE_OVER_BUDGET, detail, _now_ms())
        )


def _shed(store: Store, shed: Shed) -> tuple[int, int]:
    gone = remove(store.db, shed)
    store.count({f"shed.{shed.what}": gone})
    return used_bytes(store.db), gone


def _damaged(fault: str) -> None:
    error = sqlite3.DatabaseError(fault)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    raise error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
