"""A stand-in for the city's platform: takes the gateway's batches from a broker and knows a repeat by its key."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import aiomqtt

log = logging.getLogger(__name__)

Reading = dict[str, Any]
_RETRY_S = 0.5


class Upstream:
    """Readings that took effect, each under its key."""

    def __init__(
        self, host: str, port: int, site: str, on_reading: Callable[[Reading], None] | None = None
    ) -> None:
        self._address = host, port
        self._topic = f"derb/{site}/readings"
        self._on_reading = on_reading
        self.readings: dict[str, Reading] = {}
        self.effects: Counter[str] = Counter()
        self.batches = 0
        self.repeats = 0
        self.refused = 0
        self.ready = asyncio.Event()
        self._grown = asyncio.Event()

    async def run(self) -> None:
        """Take batches until cancelled; comes back by itself when the broker was away."""
        host, port = self._address
        while True:
            try:
                async with aiomqtt.Client(
                    host, port, identifier="city-platform", username="city", clean_session=False, timeout=5
                ) as client:
                    await client.subscribe(self._topic, qos=1)
                    self.ready.set()
                    async for message in client.messages:
                        self.take(bytes(message.payload))
            except aiomqtt.MqttError as error:
                self.ready.clear()
                log.warning("upstream broker away", extra={"why": str(error)})
                await asyncio.sleep(_RETRY_S)

    async def holds(self, count: int, within_s: float) -> bool:
        """Wait until so many readings took effect; False if that takes longer than `within_s`."""
        try:
            async with asyncio.timeout(within_s):
                while len(self.readings) < count:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            return False
        return True

    def take(self, payload: bytes) -> None:
        """Take one batch. A reading that came before is recognised by its key and has no second effect."""
        try:
            readings = json.loads(payload)["readings"]
        except (ValueError, KeyError, TypeError):
            self.refused += 1
            return
        self.batches += 1
        for reading in readings:
            self._take_reading(reading)

    def _take_reading(self, reading: Reading) -> None:
        key = reading["key"]
        before = self.readings.get(key)
        if before is not None and _same(before, reading):
            self.repeats += 1
            return
        # Another content under a known key would be a second effect: it is let through, and counted as what it is.
        self.readings[key] = reading
        self.effects[key] += 1
        self._grown.set()
        if self._on_reading:
            self._on_reading(reading)


def _same(a: Reading, b: Reading) -> bool:
    return a == b
