"""Receipts: telling nodes what is on the disk. Only ever called with what a commit returned."""

from collections.abc import Iterator

from derb_gateway.arrivals import Outcome
from derb_gateway.clock import Clock
from derb_gateway.downlink import downlink_topic, encode_downlink
from derb_gateway.registry import Registry


def receipts(outcome: Outcome, registry: Registry, clock: Clock) -> Iterator[tuple[str, bytes]]:
    """Yield (topic, frame) for each node that a committed batch has something from."""
    time_s, synchronised = clock.wall_ms() // 1000, clock.synchronised()
    for node, ranges in outcome.ranges.items():
        key = registry.key(node)
        if key is not None:  # it may have left the registry since
            frame = encode_downlink(node, key, time_s=time_s, synchronised=synchronised, ranges=ranges)
            yield downlink_topic(node), frame
