"""Messages out of the quarantine once more through the intake: their node is known now, or its key was mended.

They get their right identity, which is in the frame. Of their time only when they first came is kept, not for how long the
broker may have held them, nor whether the clock was right: so their readings are `uncertain`, and a surer time replaces it if
the node sends them again before a sink has them.
"""

import asyncio
import logging

from derb_gateway.arrivals import Arrival, Outcome
from derb_gateway.errors import GatewayError
from derb_gateway.side_door import SideDoor
from derb_gateway.store import Store

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0
_AT_ONCE = 200
_WANTED = "SELECT id, topic, raw, length, first_ms FROM quarantine JOIN replay USING (id) ORDER BY first_ms, id LIMIT ?"


class StreetReplay:
    """One task beside the intake."""

    def __init__(self, door: SideDoor) -> None:
        self._door = door

    async def run(self) -> None:
        """Look for what is wanted until cancelled."""
        while True:
            try:
                while await self.replay():
                    pass
            except GatewayError as error:
                log.warning("not replayed", extra={"why": str(error)})
            await asyncio.sleep(_LOOK_EVERY_S)

    async def replay(self) -> int:
        """Take what is wanted, a few at a time, and return how many were looked at. StoreError."""
        looked_at, outcome = await self._door.writer.do(self._take)
        if outcome is not None:
            await self._door.passed(outcome)
        return looked_at

    def _take(self, store: Store) -> tuple[int, Outcome | None]:
        held = store.db.execute(_WANTED, (_AT_ONCE,)).fetchall()
        if not held:
            store.db.execute("DELETE FROM replay")  # wishes for what has gone meanwhile
            return 0, None
        good = {id_: arrival for id_, *message in held if (arrival := self._good(*message))}
        store.db.executemany("DELETE FROM replay WHERE id = ?", [(id_,) for id_, *_ in held])
        store.db.executemany("DELETE FROM quarantine WHERE id = ?", [(id_,) for id_ in good])
        store.count({"replayed": len(good)} if good else {})
        log.info("quarantine replayed", extra={"taken": len(good), "still_refused": len(held) - len(good)})
        return len(held), self._door.intake.take(store, good.values())

    def _good(self, topic: str, raw: bytes, length: int, first_ms: int) -> Arrival | None:
        """Return the message if the intake takes it now; what is still refused stays as it is, with its counts."""
        arrival = Arrival.of(
            topic, raw, dup=True, received_ms=first_ms, error_ms=None, synchronised=False, held=True
        )
        return arrival if length == len(raw) and self._door.intake.understands(arrival) else None
