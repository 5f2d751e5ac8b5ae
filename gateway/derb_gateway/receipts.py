"""Receipts: telling nodes what is on the disk, and what is wanted of them. Only ever called with what a commit returned."""

import logging
from collections.abc import Iterator

from derb_gateway.arrivals import Outcome
from derb_gateway.clock import Clock
from derb_gateway.downlink import Range, downlink_topic, encode_downlink
from derb_gateway.errors import StoreError
from derb_gateway.orders import OrderBook
from derb_gateway.registry import Registry

log = logging.getLogger(__name__)


def receipts(
    outcome: Outcome, registry: Registry, clock: Clock, orders: OrderBook | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield (topic, frame) for each node that a committed batch has something from."""
    now_ms, synchronised = clock.wall_ms(), clock.synchronised()
    for node, ranges in outcome.ranges.items():
        key = registry.key(node)
        if key is not None:  # it may have left the registry since
            version, sections = _wanted(orders, node, now_ms)
            frame = _fitting(node, key, now_ms // 1000, synchronised, ranges, version, sections)
            yield downlink_topic(node), frame


def _wanted(orders: OrderBook | None, node: str, now_ms: int) -> tuple[int, list[tuple[int, bytes]]]:
    try:
        return orders.sections(node, now_ms) if orders else (0, [])
    except StoreError as error:
        log.warning("orders not read", extra={"why": str(error)})  # a receipt waits for nobody
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
