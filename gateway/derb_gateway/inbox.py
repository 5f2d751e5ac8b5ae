"""Between the socket and the writer: messages wait here and leave all together."""

import asyncio
from collections import deque
from typing import NamedTuple

from derb_gateway.arrivals import Arrival
from derb_gateway.mqtt_link import Link


class Delivery(NamedTuple):
    """A message and the connection it must be acknowledged on; `arrival` None: nothing for the store.

    `floor_ms`: with this message, everything that the broker took before this moment has come. `came_s`: when it came, on
    the monotonic clock.
    """

    link: Link
    mid: int
    qos: int
    arrival: Arrival | None
    floor_ms: int | None = None
    came_s: float = 0.0


class Inbox:
    """What came and is not acknowledged yet.

    At QoS 1 the broker bounds it: by the window we ask for or, when a session is resumed (Mosquitto 2.0 then
    sends all it kept at once), by its queue. At QoS 0 only `limit` does.
    """

    def __init__(self, limit: int) -> None:
        self.overflowed = 0
        self._limit = limit
        self._waiting: deque[Delivery] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery) -> None:
        """Add a message; a QoS 0 one is dropped and counted when there are too many, any when closed."""
        if self._closed:
            return  # not acknowledged, so the broker keeps it for our next start
        if delivery.qos == 0 and len(self._waiting) >= self._limit:
            self.overflowed += 1
            return
        self._waiting.append(delivery)
        self._wake.set()

    async def drain(self, at_most: int, gather_s: float = 0.0) -> list[Delivery]:
        """Wait for a message, and so long for more; return what waits, oldest first, nothing once closed and empty."""
        while True:
            await self._wake.wait()
            if gather_s and not self._closed and len(self._waiting) < at_most:
                await asyncio.sleep(gather_s)
            taken = [self._waiting.popleft() for _ in range(min(at_most, len(self._waiting)))]
            if not self._waiting and not self._closed:
                self._wake.clear()
            if taken or self._closed:
                return taken  # else what had come is forgotten: its connection is gone

    def forget(self) -> None:
        """Drop what waits: its connection is gone and the broker will send it again."""
        self._waiting = deque(delivery for delivery in self._waiting if delivery.qos == 0)

    def close(self) -> None:
        """Take nothing more; what waits can still be drained."""
        self._closed = True
        self._wake.set()
