"""What a gateway hears on the street's broker: every node, or those of its registry alone, so that several may share a broker.

MQTT's shared subscriptions would not do: they hand the messages of one node to several processes in turn, and then neither knows
which readings are repeats, or what comes first.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

EVERY_NODE = frozenset({"+"})
_AT_ONCE = 100  # topics in one packet


class Subscriber(Protocol):
    """A connection to the broker; both raise BrokerError."""

    async def subscribe(self, *topics: str) -> None:
        """Hear these too."""

    async def unsubscribe(self, *topics: str) -> None:
        """Hear these no longer."""


class StreetTopics:
    """The subscriptions of one connection."""

    def __init__(self, link: Subscriber) -> None:
        self._link = link
        self._heard: set[str] = set()
        self._left = set(EVERY_NODE)  # what the session may have from before a change of configuration

    async def hear(self, nodes: Collection[str]) -> None:
        """Hear these nodes and no others; does nothing if they are the same as before."""
        if self._heard == nodes and not self._left:
            return
        wanted = set(nodes)
        for batch in _batches(sorted(wanted - self._heard)):
            await self._link.subscribe(*batch)
        for batch in _batches(sorted((self._heard | self._left) - wanted)):
            await self._link.unsubscribe(*batch)
        self._heard, self._left = wanted, set()


def _batches(nodes: Sequence[str]) -> Iterator[list[str]]:
    for at in range(0, len(nodes), _AT_ONCE):
        yield [f"d/{node}/u" for node in nodes[at : at + _AT_ONCE]]
