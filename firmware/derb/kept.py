"""What one wake hands to the next: times, counts, and what each part of the node wants to find again."""

import struct

from micropython import const

from derb.vitals import SIZE as VITALS_SIZE
from derb.vitals import Vitals

# Of each number: its format and its limit.
_NAMES = (
    "unix_at_zero",
    "saved_s",  # when this was saved
    "next_sense",
    "next_send",
    "next_health",
    "awake_ms",  # of the last wake
    "flash_writes",
    "shed_told",
    "failures",  # wakes in a row that got no receipt
    "rssi_dbm",  # of the last connection, or 0
    "detours",  # wakes in a row that went another way than the first
    "outbox_size",
)
_FORMAT = "<IIIIIIIIBbBH"
_SIZE = const(37)
_DAY_S = const(86400)  # the longest that wake_s and backoff_max_s may be
_WEEK_S = const(604800)  # and health_every_s
WAY_SIZE = const(39)  # of what derb.links.remembered keeps of a connection


class Kept:
    """Every number as an attribute; `vitals`, and the bytes `outbox`, `way` and `sensing`."""

    def __init__(self, record):
        """`record`: what `dumps` returned, or None for a first wake; one too short to be that is none."""
        if not record or len(record) < VITALS_SIZE + _SIZE:
            record = bytes(VITALS_SIZE + _SIZE)
        self.vitals = Vitals(record[:VITALS_SIZE])
        at = VITALS_SIZE + _SIZE
        for name, value in zip(_NAMES, struct.unpack(_FORMAT, record[VITALS_SIZE:at])):
            setattr(self, name, value)
        end = at + self.outbox_size
        self.outbox = record[at:end]
        self.way = record[end : end + WAY_SIZE] or bytes(WAY_SIZE)
        self.sensing = record[end + WAY_SIZE :]

    def look_ahead(self, now_s):
        """Leave aside a time to do something that no node would have set: it would be waited for."""
        if (
            self.next_sense - now_s > _DAY_S
            or self.next_send - now_s > _DAY_S
            or self.next_health - now_s > _WEEK_S
        ):
            self.next_sense = self.next_send = self.next_health = 0

    def dumps(self):
        """Return what must be remembered in sleep."""
        self.outbox_size = len(self.outbox)
        numbers = struct.pack(_FORMAT, *[getattr(self, name) for name in _NAMES])
        return self.vitals.dumps() + numbers + self.outbox + self.way + self.sensing
