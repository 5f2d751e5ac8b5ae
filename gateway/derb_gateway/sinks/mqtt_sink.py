"""JSON batches to an upstream MQTT broker, each at QoS 1 and done only when its PUBACK says so."""

import json
from contextlib import AsyncExitStack

from derb_gateway.errors import BrokerError, SinkRefused, SinkRetry
from derb_gateway.mqtt_link import NO_SUBSCRIBER, Link, SessionWish, connect
from derb_gateway.sink_settings import MqttSinkSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.thingsboard import Message, introductions, telemetry

_FAILED = 0x80
_TOO_LARGE = 0x95
_NEVER = {_TOO_LARGE, 0x90, 0x99}  # packet too large, topic name invalid, payload format invalid


class MqttSink:
    """One connection that is made when it is needed and made again after any failure."""

    def __init__(self, settings: MqttSinkSettings, site: str) -> None:
        self._settings = settings
        self._site = site
        self._topic = settings.topic or f"derb/{site}/readings"
        self._stack = AsyncExitStack()
        self._link: Link | None = None
        self._introduced: set[str] = set()

    async def open(self, state: str | None) -> str | None:
        """Do nothing: `deliver` connects, so that a dead upstream is met in one place."""
        return state

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Publish and wait for the PUBACK. SinkRetry, SinkRefused."""
        try:
            link = await self._connected()
            for topic, payload in self._messages(batch):
                self._judge(topic, await link.publish(topic, payload, self._settings.timeout_s))
        except BrokerError as error:
            await self.close()
            raise SinkRetry(str(error)) from error
        except (SinkRetry, SinkRefused):
            self._introduced.clear()  # perhaps it was not told of a device
            raise
        return state

    async def close(self) -> None:
        """Leave the broker."""
        self._link = None
        self._introduced.clear()
        await self._stack.aclose()

    async def _connected(self) -> Link:
        if self._link is None or not self._link.open:
            await self.close()
            client_id = self._settings.client_id or f"derb-{self._site}-{self._settings.name}"
            wish = SessionWish(self._settings.mqtt_version())
            self._link = await self._stack.enter_async_context(connect(self._settings, client_id, wish))
        return self._link

    def _messages(self, batch: Batch) -> list[Message]:
        if self._settings.dialect == "thingsboard":
            return [*introductions(batch.readings, self._introduced), telemetry(batch.readings)]
        payload = {
            "batch": f"{self._settings.name}:{batch.first_id}-{batch.last_id}",
            "site": self._site,
            "lane": batch.lane,
            "readings": batch.readings,
        }
        return [(self._topic, json.dumps(payload, separators=(",", ":")).encode())]

    def _judge(self, topic: str, code: int) -> None:
        """Raise unless the upstream has it; what nobody subscribes to is gone, acknowledged or not."""
        if code in _NEVER:
            msg = f"the upstream broker refuses it (reason code {code:#x})"
            raise SinkRefused(msg)
        if code >= _FAILED:
            msg = f"the upstream broker does not take it (reason code {code:#x})"
            raise SinkRetry(msg, suspect=True)
        if code == NO_SUBSCRIBER and self._settings.require_subscriber:
            msg = f"nobody subscribes to {topic} upstream"
            raise SinkRetry(msg)
