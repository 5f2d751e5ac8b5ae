"""The health reading: how the node itself is."""

import binascii

from derb import VERSION, frame

_TOLD_AT_ONCE = (
    11,
    12,
    14,
    25,
    26,
    27,
    28,
)  # versions, sensor fault, slot and update: changes a person waits for


def fields(battery_mv, rssi_dbm, reset_cause, awake_ms, outbox, failures, flash_writes, sensing, is_parking):
    """Return (number, value) pairs of what the wake knows; battery and RSSI may be None when they are not known."""
    return [
        (1, battery_mv),
        (2, rssi_dbm),
        (4, reset_cause),
        (5, awake_ms),
        (6, len(outbox)),
        (7, outbox.shed),
        (8, failures),
        (10, flash_writes),
        (11, VERSION),
        (13, sensing.state if is_parking else None),
        (14, sensing.fault),
    ]


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
    return frame.health_payload(sorted(pair for pair in pairs if pair[1] is not None))


def news(pairs):
    """Return a number that changes when something did which is told at once."""
    told = sorted(pair for pair in pairs if pair[0] in _TOLD_AT_ONCE)
    return binascii.crc32(repr(told).encode()) & 0xFFFFFFFF
