"""Trying a broker's limits with messages to ourselves; leaves nothing behind."""

import asyncio
import secrets

from derb_gateway.config import BrokerSettings
from derb_gateway.mqtt_link import Link, SessionWish, connect
from derb_gateway.mqtt_packets import Message

_QUEUE_TRIED = 1_200  # Mosquitto's own limit is 1,000
_QUIET_S = 1.0


async def window(settings: BrokerSettings) -> int:
    """Return how many messages the broker gives us without an acknowledgement; BrokerError."""
    name, came = _private(), _Tally()
    wish = SessionWish(settings.mqtt_version(), True, 0, settings.receive_maximum)
    async with connect(settings, name, wish, came.note) as link:
        await link.subscribe(f"d/_/check/{name}")
        await link.publish_often(f"d/_/check/{name}", b"derb", settings.receive_maximum, settings.timeout_s)
        return await came.settled(settings.receive_maximum)


async def queue_limit(settings: BrokerSettings) -> tuple[int, int]:
    """Return how many messages the broker kept for a client that was away, of how many; BrokerError."""
    name, came = _private(), _Tally(acknowledge=True)
    wish = SessionWish(settings.mqtt_version(), False, 60, settings.receive_maximum)
    async with connect(settings, name, wish) as away:
        await away.subscribe(f"d/_/check/{name}")
    async with connect(settings, _private(), SessionWish(settings.mqtt_version())) as link:
        await link.publish_often(f"d/_/check/{name}", b"derb", _QUEUE_TRIED, settings.timeout_s)
    async with connect(settings, name, wish, came.note):
        kept = await came.settled(_QUEUE_TRIED)
    async with connect(settings, name, SessionWish(settings.mqtt_version())):
        return kept, _QUEUE_TRIED  # a clean start removes the session


def _private() -> str:
    return f"derb-check-{secrets.token_hex(6)}"


class _Tally:
    """Counts what comes until nothing more does."""

    def __init__(self, *, acknowledge: bool = False) -> None:
        self._acknowledge = acknowledge
        self._count = 0
        self._more = asyncio.Event()

    def note(self, link: Link, message: Message) -> None:
        self._count += 1
        self._more.set()
        if self._acknowledge:
            asyncio.get_running_loop().call_soon(link.acknowledge, [message.mid])

    async def settled(self, enough: int) -> int:
        while self._count < enough:
            self._more.clear()
            try:
                async with asyncio.timeout(_QUIET_S):
                    await self._more.wait()
            except TimeoutError:
                break
        return self._count
