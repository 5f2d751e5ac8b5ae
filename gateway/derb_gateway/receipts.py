"""Receipts: telling nodes what is on the disk, and what is wanted of them. Only ever called with what a commit returned."""

import logging
from collections.abc import Iterator, Mapping

from derb_gateway.arrivals import Outcome
from derb_gateway.clock import Clock
from derb_gateway.downlink import Range, downlink_topic, encode_downlink
from derb_gateway.errors import StoreError
from derb_gateway.orders import OrderBook
from derb_gateway.registry import Registry

log = logging.getLogger(__name__)


class Due:
    """Receipts for what is committed that were not given yet: a node that sends much is told of it once."""

    def __init__(self) -> None:
        self._ranges: dict[str, list[Range]] = {}
        self._came_s = 0.0
        self._since_s = 0.0

    def add(self, outcome: Outcome, came_s: float, now_s: float) -> None:
        """Owe a batch's receipts; its oldest message came at `came_s`. What a node has later holds for what it had before."""
        if not self._ranges:
            self._came_s, self._since_s = came_s, now_s
        self._ranges |= outcome.ranges

    def waited_s(self, now_s: float) -> float:
        """Return for how long the oldest of them has been owed."""
        return now_s - self._since_s if self._ranges else 0.0

    def take(self) -> tuple[dict[str, list[Range]], float]:
        """Return what is owed, by node, and when the oldest message of it came; nothing is owed then."""
        ranges, self._ranges = self._ranges, {}
        return ranges, self._came_s


def receipts(
    ranges: Mapping[str, list[Range]], registry: Registry, clock: Clock, orders: OrderBook | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield (topic, frame) for each node with what is to be confirmed to it."""
    now_ms, synchronised = clock.wall_ms(), clock.synchronised()
    for node, runs in ranges.items():
        key = registry.key(node)
        if key is not None:  # it may have left the registry since
            version, sections = _wanted(orders, node, now_ms)
            frame = _fitting(node, key, now_ms // 1000, synchronised, runs, version, sections)
            yield downlink_topic(node), frame


def _wanted(orders: OrderBook | None, node: str, now_ms: int) -> tuple[int, list[tuple[int, bytes]]]:
    try:
        return orders.sections(node, now_ms) if orders else (0, [])
    except Exception as error:  # a receipt waits for nobody, whatever a flipped bit makes of an order
        known = isinstance(error, StoreError)
        log.warning("orders not read", extra={"why": repr(error)}, exc_info=None if known else error)
        return 0, []


def _fitting(
    node: str,
    key: bytes,
    time_s: int,
    synchronised: bool,
    ranges: list[Range],
    version: int,
    sections: list[tuple[int, bytes]],
) -> bytes:
    """Return a frame with all ranges and as many of the sections, first things first, as there is room for."""
    for count in range(len(sections), 0, -1):
        try:
            return encode_downlink(
                node,
                key,
                time_s=time_s,
                synchronised=synchronised,
                ranges=ranges,
                config_version=version,
                sections=sections[:count],
            )
        except ValueError:
            continue  # too long: the rest comes with the next receipt
    return encode_downlink(
        node, key, time_s=time_s, synchronised=synchronised, ranges=ranges, config_version=version
    )
