"""From the drop box to the disk: files that `derb gateway take` put there, through the same door as every message."""

import asyncio
import logging
from functools import partial
from pathlib import Path

from derb_gateway.arrivals import Arrival
from derb_gateway.clock import Clock
from derb_gateway.errors import GatewayError
from derb_gateway.pulled_file import Pulled, forget, read_pulled, set_aside, waiting
from derb_gateway.side_door import SideDoor

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_BATCH = 500


class PulledIntake:
    """One task. A file leaves the drop box only when all of it is on the disk; taken twice, it changes nothing."""

    def __init__(self, path: Path, clock: Clock, door: SideDoor) -> None:
        """`path`: the store's."""
        self._path = path
        self._clock = clock
        self._door = door

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            for path in self._waiting():
                try:
                    await self._take(path)
                except OSError as error:
                    log.warning("drop box", extra={"file": path.name, "why": str(error)})
            await asyncio.sleep(_LOOK_EVERY_S)

    def _waiting(self) -> list[Path]:
        try:
            return waiting(self._path)
        except OSError as error:
            log.warning("drop box", extra={"why": str(error)})
            return []

    async def _take(self, path: Path) -> None:
        try:
            pulled = read_pulled(path)
        except GatewayError as error:
            log.error("pulled file refused", extra={"file": set_aside(path).name, "why": str(error)})  # noqa: TRY400 - its text says it all
            return
        arrivals = arrivals_of(pulled, self._clock)
        for at in range(0, len(arrivals), _BATCH):
            take = partial(self._door.intake.take, arrivals=arrivals[at : at + _BATCH])
            await self._door.passed(await self._door.writer.do_stubbornly(take))
        forget(path)
        log.info("pulled file taken", extra={"node": pulled.node, "frames": len(arrivals)})


def arrivals_of(pulled: Pulled, clock: Clock) -> list[Arrival]:
    """Return the frames as messages that came when they were read from the node.

    What a laptop's clock says counts only if it was synchronised, and lies before now.
    """
    now_ms = clock.wall_ms()
    return [
        Arrival.of(
            f"d/{pulled.node}/u",
            raw,
            dup=True,  # nobody can say that the gateway has not seen it
            received_ms=min(frame.at_ms, now_ms),
            error_ms=0 if pulled.synchronised and frame.at_ms <= now_ms else None,
            synchronised=pulled.synchronised,
            held=True,
        )
        for frame, raw in zip(pulled.frames, pulled.raw(), strict=True)
    ]
