"""The health reading: how the node itself is."""

import gc

from derb import VERSION, frame


def payload(battery_mv, rssi_dbm, reset_cause, awake_ms, outbox, failures, flash_writes, sensing, is_parking):
    """Return a health payload; battery and RSSI may be None when they are not known."""
    fields = [
        (1, battery_mv),
        (2, rssi_dbm),
        (4, reset_cause),
        (5, awake_ms),
        (6, len(outbox)),
        (7, outbox.shed),
        (8, failures),
        (9, gc.mem_free()),
        (10, flash_writes),
        (11, VERSION),
        (13, sensing.state if is_parking else None),
        (14, sensing.fault),
    ]
    return frame.health_payload([(number, value) for number, value in fields if value is not None])
