"""From the relays to the disk and back, through the same door as the broker's messages: commit first, then receipts."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from functools import partial

from derb_gateway import relay_ports
from derb_gateway.arrivals import Arrival, Outcome
from derb_gateway.clock import Clock
from derb_gateway.config import RelaySettings
from derb_gateway.ending import end
from derb_gateway.intake import Intake
from derb_gateway.orders import OrderBook
from derb_gateway.progress import Progress
from derb_gateway.pulse import Pulse
from derb_gateway.receipts import receipts
from derb_gateway.relay_connection import RelayConnection
from derb_gateway.relay_line import Ended
from derb_gateway.relay_messages import RelayUplink, Result
from derb_gateway.relay_ports import Lister
from derb_gateway.relay_routes import TOGETHER_S, Routes
from derb_gateway.releases import Releases, chunk_frames
from derb_gateway.reports import note
from derb_gateway.store import Store
from derb_gateway.writer import Writer

_WAITING = 2_000
_BATCH = 1_000
_ASLEEP_S = 5.0  # a node waits for its receipt no longer
_HOLD_S = 3_600
_SAVE_S = 10.0
_REDIRECTED = 256
_LAST_TURNS_S = 0.3


class RelayIntake:
    """The relays' side of the gateway."""

    def __init__(
        self,
        settings: Sequence[RelaySettings],
        clock: Clock,
        writer: Writer,
        intake: Intake,
        progress: Progress,
        orders: OrderBook | None = None,
        releases: Releases | None = None,
        ports: Lister = relay_ports.usb_ports,
    ) -> None:
        self._clock = clock
        self._writer = writer
        self._intake = intake
        self._progress = progress
        self._orders = orders
        self._releases = releases
        self._routes = Routes()
        self._waiting: deque[Arrival] = deque()
        self._wake = asyncio.Event()
        self.pulse = Pulse("relay intake")
        self._closed = False
        self._counts: Counter[str] = Counter()
        self._saved_s: dict[str, float] = {}
        self._to_save: set[str] = set()
        self._redirected: deque[tuple[str, bytes]] = deque(maxlen=_REDIRECTED)
        claimed: set[str] = set()
        self.relays = {each.name: RelayConnection(each, self, clock, claimed, ports) for each in settings}

    async def run(self, stop: asyncio.Event) -> None:
        """Take until `stop`; then commit and confirm what has come."""
        connections = [
            asyncio.create_task(relay.run(), name=f"relay {name}") for name, relay in self.relays.items()
        ]
        pump = asyncio.create_task(self._pump(), name="relay pump")
        stopping = asyncio.create_task(stop.wait(), name="relay stop")
        try:
            await asyncio.wait({*connections, pump, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._closed = True
            self._wake.set()
            await pump
            if any(relay.up for relay in self.relays.values()):
                await asyncio.sleep(_LAST_TURNS_S)  # the connections' next turns write the last receipts
        finally:
            for failure in await end(*connections, pump, stopping):
                if failure is not None:
                    raise failure

    def heard(self, relay: RelayConnection, uplink: RelayUplink, waited_s: float) -> bool:
        """Take an uplink; False when there are too many already, or none is taken any more."""
        if self._closed or len(self._waiting) >= _WAITING:
            self._counts["relay.waited_for_disk"] += 1
            return False
        heard_s = self._clock.monotonic_s() - uplink.held_ms / 1000
        self._routes.heard(uplink.node, relay.name, heard_s, uplink.rssi_dbm)
        first = self._routes.copy_of(uplink.node, uplink.packet, relay.name, heard_s)
        if first is not None and first.relay != relay.name and abs(heard_s - first.heard_s) < TOGETHER_S:
            self._counts["relay.heard_twice"] += 1
            return True
        self._counts["relay.copies"] += first is not None
        self._waiting.append(self._arrival(relay.name, uplink, waited_s, again=first is not None))
        self._wake.set()
        return True

    def ended(self, relay: RelayConnection, order: Ended) -> None:
        """Where one relay did not reach a node, another one that heard it may."""
        if order.result in (Result.SENT, Result.HELD):
            self._counts["relay.downlinks"] += 1
            return
        self._counts["relay.downlinks_unheard"] += 1
        other = self._routes.instead(order.node, relay.name, self._clock.monotonic_s())
        if other is not None and (order.node, order.frame) not in self._redirected:
            self._redirected.append((order.node, order.frame))
            self.relays[other].send(order.node, order.frame)

    def described(self, relay: RelayConnection) -> None:
        """Keep what a relay says of itself where the status finds it, now and then."""
        now_s = self._clock.monotonic_s()
        if now_s - self._saved_s.get(relay.name, float("-inf")) < _SAVE_S or relay.description is None:
            return
        self._saved_s[relay.name] = now_s
        self._to_save.add(relay.name)
        self._wake.set()

    def _arrival(self, relay: str, uplink: RelayUplink, waited_s: float, *, again: bool) -> Arrival:
        speed = self._clock.speed
        return Arrival.of(
            f"d/{uplink.node}/u",
            uplink.packet,
            dup=again,
            received_ms=self._clock.wall_ms() - int(uplink.held_ms * speed),
            error_ms=int(waited_s * 1000 * speed),
            synchronised=self._clock.synchronised(),
            relay=relay,
            rssi_dbm=uplink.rssi_dbm,
            held=uplink.held_ms > 0,
        )

    async def _pump(self) -> None:
        """Commit batch by batch until closed and empty; one forms while the last one syncs."""
        while True:
            await self._wake.wait()
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            if not self._waiting and not self._closed:
                self._wake.clear()
            if not batch and self._closed:
                return
            counts, self._counts = self._counts, Counter()
            to_save, self._to_save = self._to_save, set()
            outcome = await self._writer.do_stubbornly(
                partial(self._write, batch, counts, to_save), self.pulse.beat
            )
            await note(self._orders, outcome)
            self._confirm(outcome)
            self._progress.reached(outcome.last_id)
            self.pulse.rest()

    def _write(self, batch: list[Arrival], counts: Counter[str], to_save: set[str], store: Store) -> Outcome:
        """Runs in the writer's thread."""
        outcome = self._intake.take(store, batch)
        store.count(counts)
        for name in to_save:
            if (description := self.relays[name].description) is not None:
                gauges = description.counters | {
                    "channel": description.channel,
                    "firmware_version": description.firmware_version,
                    "uptime_s": description.uptime_s,
                }
                store.set_counters({f"relay.{name}.{what}": number for what, number in gauges.items()})
                store.save_moment(f"relay.{name}.heard", self._clock.wall_ms())
        return outcome

    def _confirm(self, outcome: Outcome) -> None:
        """Send receipts back the way the frames came; one that is lost costs a repetition."""
        now_s = self._clock.monotonic_s()
        registry = self._intake.registry
        frames = list(receipts(outcome.ranges, registry, self._clock, self._orders))
        frames += chunk_frames(outcome, registry, self._releases) if self._releases else ()
        for topic, frame in frames:
            node = topic.split("/")[1]
            way = self._routes.to(node)
            if way is not None:
                asleep = now_s - way.heard_s > _ASLEEP_S
                self.relays[way.relay].send(node, frame, _HOLD_S if asleep else 0)
