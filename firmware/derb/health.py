"""The health reading: how the node itself is."""

from derb import reading


def fields(node, reset_cause):
    """Return (number, value) pairs of what the wake knows, save what is told at once; `node` is derb.node.Node."""
    kept = node.kept
    return [
        (1, node.battery_mv),
        (2, kept.rssi_dbm or None),
        (4, reset_cause),
        (5, kept.awake_ms),
        (6, len(node.outbox)),
        (7, node.outbox.shed),
        (8, kept.failures),
        (10, kept.flash_writes),
        (13, node.state if node.config.kind == "parking" else None),
    ]


def of_crumbs(crumbs):
    """Return the pairs about wakes that went wrong; nothing as long as none did."""
    if not crumbs.failures:
        return []
    return [(30, crumbs.level), (31, crumbs.failures), (32, crumbs.failed_in), (33, crumbs.cause)]


def of_vitals(vitals):
    """Return the pairs that Vitals knows; what is not known yet is left out."""
    return [
        (9, vitals.heap_low or None),
        (15, vitals.load_mv or None),
        (16, vitals.sense_ms or None),
        (17, vitals.connect_ms or None),
        (18, vitals.exchange_ms or None),
        (19, vitals.connections_failed),
        (20, vitals.resets_watchdog),
        (21, vitals.resets_hard),
        (22, vitals.resets_soft),
        (23, vitals.downlinks_refused),
        (24, vitals.orders_stale),
    ]


def payload(pairs):
    """Return a health payload of (number, value) pairs in any order; None is left out."""
    return reading.health_payload(sorted(pair for pair in pairs if pair[1] is not None))
