"""Whether the gateway gets on with its work: what feeds the watchdog, and what /healthz says.

Proof is asked for, not assumed: now and then an empty transaction goes from the event loop through the writer's thread and
SQLite and back. It writes nothing, so it wears nothing out. A disk that refuses has answered, and a broker or an upstream that
is away is no fault of this process: a restart mends neither, so neither is a stall. What must get on are the loops between
a message and its receipt.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from derb_gateway.errors import StoreError
from derb_gateway.pulse import Pulse
from derb_gateway.writer import Writer

_PROBE_S = 5.0
_REPLACING_S = 3600.0  # a damaged file of some gigabytes, on a card


class Liveness:
    """The probe, and the pulses of the loops that must get on."""

    def __init__(
        self,
        writer: Writer,
        pulses: Sequence[Pulse],
        stall_after_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stall_after_s`: a step that takes longer is a stall."""
        self.stall_after_s = stall_after_s
        self.probes = 0
        self.probe_s = 0.0
        self._writer = writer
        self._now_s = now_s
        self._probe = Pulse("writer", now_s)
        self._pulses = (self._probe, *pulses)

    async def run(self, every_s: float = _PROBE_S) -> None:
        """Probe until cancelled."""
        while True:
            await self.probe()
            await asyncio.sleep(every_s)

    async def probe(self) -> None:
        """Go through the writer once."""
        self._probe.beat()
        with suppress(StoreError):  # an answer as well
            await self._writer.do(lambda _: None)
        self.probe_s = self._probe.busy_s()
        self._probe.rest()
        self.probes += 1

    def stalls(self) -> list[str]:
        """Return what does not get on, in words; nothing while a damaged file is being replaced, which takes its time."""
        if self.is_replacing():
            return []
        return [
            f"{pulse.name} has been at one step for {pulse.busy_s():.0f} s"
            for pulse in self._pulses
            if pulse.busy_s() > self.stall_after_s
        ]

    def is_replacing(self) -> bool:
        """Return whether the writer copies a damaged file into a new one, and has not been at it for too long."""
        since_s = self._writer.replacing_since_s
        return since_s is not None and self._now_s() - since_s < _REPLACING_S
