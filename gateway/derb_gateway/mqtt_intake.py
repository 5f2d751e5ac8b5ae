"""From the broker to the disk and back: take, commit, give receipts, acknowledge; in no other order."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from itertools import groupby
from operator import attrgetter

from derb_gateway.arrivals import Arrival, Outcome
from derb_gateway.backoff import FullJitter
from derb_gateway.clock import Clock
from derb_gateway.config import BrokerSettings
from derb_gateway.ending import end
from derb_gateway.errors import BrokerError
from derb_gateway.fence import Fence
from derb_gateway.inbox import Delivery, Inbox
from derb_gateway.intake import Intake
from derb_gateway.mqtt_link import Link, SessionWish, connect
from derb_gateway.mqtt_packets import Message
from derb_gateway.orders import OrderBook
from derb_gateway.progress import Progress
from derb_gateway.pulse import Pulse
from derb_gateway.receipts import Due, receipts
from derb_gateway.reconnect import Reconnect
from derb_gateway.releases import Releases, chunk_frames
from derb_gateway.reports import note
from derb_gateway.store import Store
from derb_gateway.street_topics import EVERY_NODE, StreetTopics
from derb_gateway.writer import Writer

log = logging.getLogger(__name__)

RECEIVED_UNTIL = "received_until"
_QOS0_WAITING = 1_000
_BATCH = 1_000
_FENCE_LOST_S = 30.0
_SAVE_MOMENT_S = 10.0
_BYE_S = 2.0
_BEHIND = 100  # messages
_RECEIPT_WAITS_S = 0.25  # of the seconds that a node listens


class MqttIntake:
    """The street's side of the gateway."""

    def __init__(
        self,
        settings: BrokerSettings,
        client_id: str,
        clock: Clock,
        writer: Writer,
        intake: Intake,
        progress: Progress,
        orders: OrderBook | None = None,
        releases: Releases | None = None,
        gather_s: float = 0.0,
        on_confirmed: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`gather_s`: how long a message may wait for others to share its commit; `on_confirmed` is told how long the oldest
        message of a batch waited for its receipt."""
        self._settings = settings
        self._client_id = client_id
        self._fence_topic = f"d/_/fence/{client_id}"
        self._clock = clock
        self._writer = writer
        self._intake = intake
        self._progress = progress
        self._orders = orders
        self._releases = releases
        self.gather_s = gather_s
        self.pulse = Pulse("intake")
        self._on_confirmed = on_confirmed
        self._inbox = Inbox(_QOS0_WAITING)
        self._due = Due()
        self._fence = Fence(clock, None)
        self._link: Link | None = None
        self._received_until: int | None = None
        self._last_came_s = clock.monotonic_s()
        self._moment_saved_s = float("-inf")
        jitter = FullJitter(settings.retry_base_s, settings.retry_max_s)
        self.connection = Reconnect("street broker", self._session, jitter)

    async def run(self, stop: asyncio.Event) -> None:
        """Take until `stop`; then commit, confirm and acknowledge what has come, and leave politely."""
        self._received_until = await self._writer.do_stubbornly(lambda store: store.moment(RECEIVED_UNTIL))
        connection = asyncio.create_task(self.connection.run(), name="street connection")
        pump = asyncio.create_task(self._pump(), name="street pump")
        stopping = asyncio.create_task(stop.wait(), name="street stop")
        try:
            await asyncio.wait({connection, pump, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._inbox.close()
            await pump
            await self._push_out()
        finally:
            for failure in await end(stopping, pump, connection):
                if failure is not None:
                    raise failure

    async def _push_out(self) -> None:
        """Wait until the broker has our acknowledgements: closing a socket with unread input voids them."""
        if self._link is not None and self._link.open:
            try:
                await self._link.publish(f"d/_/bye/{self._client_id}", b"", _BYE_S)
            except BrokerError as error:
                log.info("some messages will come again", extra={"why": str(error)})

    async def _session(self, up: Callable[[], None]) -> None:
        """One connection: subscribe, send fences, wait for the end."""
        settings, began_ms = self._settings, self._clock.wall_ms()
        wish = SessionWish(
            settings.mqtt_version(), False, settings.session_expiry_s, settings.receive_maximum
        )
        self._inbox.forget()
        self._fence = Fence(self._clock, self._received_until, settings.fence_s)
        async with connect(settings, self._client_id, wish, self._came) as link:
            self._link = link
            if not link.session_present:
                self._fence = Fence(self._clock, began_ms, settings.fence_s)  # all that comes is new
            await _first_of(link.wait_for_end(), self._listen(link, up))

    async def _listen(self, link: Link, up: Callable[[], None]) -> None:
        """Subscribe, then send a fence now and then; one that stays away says that we are not connected."""
        await link.subscribe(self._fence_topic)
        topics = StreetTopics(link)
        await topics.hear(self._wanted())
        up()
        while True:
            await topics.hear(self._wanted())
            nonce = self._fence.send()
            if nonce is not None:
                link.send(self._fence_topic, nonce)
            elif self._silent_s() > _FENCE_LOST_S:
                raise BrokerError("our own message does not come back")
            await asyncio.sleep(self._settings.fence_s)
            if self._fence.settled:
                self.connection.steady()

    def _wanted(self) -> Collection[str]:
        """Return the nodes to hear; the registry may be another one than the last time."""
        return self._intake.registry.keys.keys() if self._settings.only_registered else EVERY_NODE

    def _silent_s(self) -> float:
        """Return for how long a fence has been out and nothing else has come either."""
        return min(self._fence.overdue_s(), self._clock.monotonic_s() - self._last_came_s)

    def _came(self, link: Link, message: Message) -> None:
        """Note a message the moment it comes; called by the connection."""
        self._last_came_s = self._clock.monotonic_s()
        if message.topic == self._fence_topic:
            floor_ms = self._fence.came_back(message.payload)
            self._inbox.put(Delivery(link, message.mid, message.qos, None, floor_ms, self._last_came_s))
            return
        arrival = Arrival.of(
            message.topic,
            message.payload,
            dup=message.dup,
            received_ms=self._clock.wall_ms(),
            error_ms=self._fence.error_ms(),
            synchronised=self._clock.synchronised(),
        )
        self._inbox.put(Delivery(link, message.mid, message.qos, arrival, came_s=self._last_came_s))

    async def _pump(self) -> None:
        """Commit batch by batch until the inbox is closed and empty; one forms while the last one syncs."""
        while batch := await self._inbox.drain(_BATCH, self.gather_s):
            outcome = await self._commit(batch)
            link = batch[-1].link
            if outcome is not None:
                await note(self._orders, outcome)
                self._due.add(outcome, batch[0].came_s, self._clock.monotonic_s())
                self._answer_asks(link, outcome)
                self._progress.reached(outcome.last_id)
            if not self._receipts_may_wait():
                self._confirm(link)
            for brought, deliveries in groupby(batch, attrgetter("link")):
                brought.acknowledge([delivery.mid for delivery in deliveries if delivery.qos])
            self.pulse.rest()

    async def _commit(self, batch: list[Delivery]) -> Outcome | None:
        """Write a batch, until the disk takes it: what is not acknowledged is safe in the broker and in the street.

        None if there was nothing to write.
        """
        arrivals = [delivery.arrival for delivery in batch if delivery.arrival is not None]
        floors = [delivery.floor_ms for delivery in batch if delivery.floor_ms is not None]
        until = floors[-1] if floors else self._received_until
        if arrivals or self._moment_is_due():
            outcome = await self._writer.do_stubbornly(
                lambda store: self._write(store, arrivals, until), self.pulse.beat
            )
            self._moment_saved_s = self._clock.monotonic_s()
        else:
            outcome = None
        self._received_until = until
        return outcome

    def _write(self, store: Store, arrivals: list[Arrival], until: int | None) -> Outcome:
        """Runs in the writer's thread."""
        outcome = self._intake.take(store, arrivals)
        if until is not None:
            store.save_moment(RECEIVED_UNTIL, until)
        if self._inbox.overflowed:
            dropped, self._inbox.overflowed = self._inbox.overflowed, 0
            store.count({"dropped.qos0_overflow": dropped})
        return outcome

    def _moment_is_due(self) -> bool:
        return self._clock.monotonic_s() - self._moment_saved_s >= _SAVE_MOMENT_S

    def _receipts_may_wait(self) -> bool:
        """Return whether so much has come that a node soon has more to be told; never for long."""
        return (
            len(self._inbox) >= _BEHIND and self._due.waited_s(self._clock.monotonic_s()) < _RECEIPT_WAITS_S
        )

    def _confirm(self, link: Link) -> None:
        """Publish receipts; one that is lost costs a repetition, so its failure stops nothing."""
        ranges, came_s = self._due.take()
        if ranges:
            link.publish_all(receipts(ranges, self._intake.registry, self._clock, self._orders), retain=True)
            self._on_confirmed(self._clock.monotonic_s() - came_s)

    def _answer_asks(self, link: Link, outcome: Outcome) -> None:
        if self._releases is not None:
            link.publish_all(chunk_frames(outcome, self._intake.registry, self._releases), retain=False)


async def _first_of(*coroutines: Coroutine[None, None, None]) -> None:
    """Run until the first one ends, and end as it did."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(*tasks)
