"""Which relay heard which node, so that the answer goes back the way the question came. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

TOGETHER_S = 1.0  # one packet, heard by several relays; a node repeats later than that
_ALSO_S = 60.0  # another relay that heard a node so lately may reach it
_NODES = 10_000
_COPIES = 10_000
_COPY_S = 5.0  # a node that gets no receipt sends the same bytes again for so long; later it is a replay


@dataclass(frozen=True, slots=True)
class Sighting:
    """A relay heard a node."""

    relay: str
    heard_s: float
    rssi_dbm: int


class Routes:
    """The latest sightings of each node, the best way to it first."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, list[Sighting]] = OrderedDict()
        self._copies: OrderedDict[tuple[str, bytes], Sighting] = OrderedDict()

    def heard(self, node: str, relay: str, heard_s: float, rssi_dbm: int) -> None:
        """Note that a relay heard a node; among those that heard the same packet the strongest is the way back."""
        ways = [way for way in self._of.pop(node, []) if way.relay != relay]
        ways.append(Sighting(relay, heard_s, rssi_dbm))
        latest_s = max(way.heard_s for way in ways)
        together = [way for way in ways if latest_s - way.heard_s < TOGETHER_S]
        before = [way for way in ways if way not in together]
        together.sort(key=lambda way: way.rssi_dbm, reverse=True)
        before.sort(key=lambda way: way.heard_s, reverse=True)
        self._of[node] = together + before
        while len(self._of) > _NODES:
            self._of.popitem(last=False)

    def to(self, node: str) -> Sighting | None:
        """Return the way to a node, None if no relay has heard it."""
        ways = self._of.get(node)
        return ways[0] if ways else None

    def instead(self, node: str, relay: str, now_s: float) -> str | None:
        """Return another relay that heard a node lately, where this one did not reach it."""
        for way in self._of.get(node, []):
            if way.relay != relay and now_s - way.heard_s <= _ALSO_S:
                return way.relay
        return None

    def copy_of(self, node: str, packet: bytes, relay: str, heard_s: float) -> Sighting | None:
        """Note a packet; return the sighting of the very same one shortly before, None if it is new."""
        key = node, packet
        first = self._copies.get(key)
        if first is None or abs(heard_s - first.heard_s) > _COPY_S:
            self._copies.pop(key, None)
            self._copies[key] = Sighting(relay, heard_s, 0)
            if len(self._copies) > _COPIES:
                self._copies.popitem(last=False)
            return None
        return first
