"""How the node itself has been: counts since power was lost, times of the last wake. Kept in RTC memory."""

import binascii
import struct

from micropython import const

SIZE = const(28)

_FORMAT = "<HHHHHHHHBBBBII"
_NAMES = (
    "load_mv",  # lowest battery voltage while the radio was on
    "sense_ms",
    "connect_ms",
    "exchange_ms",
    "connections_failed",
    "downlinks_refused",
    "orders_stale",
    "damaged",  # entries of NVS that were not what was written
    "resets_watchdog",
    "resets_hard",
    "resets_soft",
    "update_kb_left",  # as the last wake that fetched left it
    "heap_low",
    "told",  # checksum of what the last health reading said and the next must say again when it changes
)
_LIMITS = (0xFFFF,) * 8 + (0xFF,) * 4 + (0xFFFFFFFF,) * 2
_OF_RESET = {3: "resets_watchdog", 2: "resets_hard", 5: "resets_soft"}  # by machine.reset_cause()


class Vitals:
    """Every figure as an attribute; 0: not known yet, or never."""

    def __init__(self, saved=None):
        """`saved`: what `dumps` gave before sleep."""
        values = struct.unpack(_FORMAT, saved) if saved and len(saved) == SIZE else (0,) * len(_NAMES)
        for name, value in zip(_NAMES, values):
            setattr(self, name, value)

    def dumps(self):
        """Return what must be remembered in sleep; what outgrew its field stays at the highest it can say."""
        return struct.pack(
            _FORMAT,
            *[max(0, min(getattr(self, name), limit)) for name, limit in zip(_NAMES, _LIMITS)],
        )

    def woke(self, reset_cause):
        """Count a reset that was not the end of a sleep; `reset_cause` as machine.reset_cause()."""
        name = _OF_RESET.get(reset_cause)
        if name:
            setattr(self, name, getattr(self, name) + 1)

    def heap(self, free):
        """Note the heap that is free now."""
        if not self.heap_low or free < self.heap_low:
            self.heap_low = free

    def loaded(self, battery_mv):
        """Note the battery's voltage with the radio on; None: no battery is measured."""
        if battery_mv and (not self.load_mv or battery_mv < self.load_mv):
            self.load_mv = battery_mv


def news(pairs):
    """Return a number that changes when one of the (field of health, value) pairs does: what is told at once."""
    return binascii.crc32(repr(sorted(pairs)).encode()) & 0xFFFFFFFF
