"""Where a wake is, noted at every step in RTC memory, so that the next one knows where the last one died.

`machine.reset_cause()` cannot tell a brownout from a battery change nor a panic from a reset, so nothing here asks it: a
wake that did not say that it went to sleep has died.
"""

import binascii
import struct
import time

from micropython import const

# Phases, in the order of a wake. Their numbers are in health readings.
LOAD = const(1)
BATTERY = const(2)
SENSE = const(3)
KEEP = const(4)
RADIO = const(5)
NAME = const(6)
CONNECT = const(7)
SECURE = const(8)
EXCHANGE = const(9)
ORDERS = const(10)
SETTLE = const(11)
SLEEP = const(12)
PHASES = const(13)

# Why the last wake that went wrong did so.
DIED = const(1)  # watchdog, panic, brownout, reset: it could say no more
RAISED = const(2)
NO_MEMORY = const(3)
INTERRUPTED = const(4)  # KeyboardInterrupt, SystemExit

# Levels of safe mode.
FULL = const(0)
PLAIN = const(1)  # nothing remembered, nothing ordered
PROVISIONED = const(2)  # only what a node needs of its provisioned configuration
SIGN_OF_LIFE = const(3)  # no sensing
OTHER_SLOT = const(4)  # the same, for who can offer another firmware

_FORMAT = (
    "<BBBBBBHI"  # magic, awake, phase, score, phase and cause of the last failure, failures in all, CRC-32
)
_SIZE = const(12)
_MAGIC = const(0xC7)
_MOST = const(24)
_COST = const(
    2
)  # of a failure; an orderly wake takes off one: so it tries the better level again, and not each time
_PER_LEVEL = const(4)
_FIRST_REST_S = const(60)
_LONGEST_REST_S = const(21600)


class Crumbs:
    """The note of this wake; `memory` is a derb.memory.Memory."""

    def __init__(self, memory):
        self._memory = memory
        self._since_ms = time.ticks_ms()
        self.phase = 0
        self.spent_ms = [0] * PHASES  # by phase, of this wake
        note = memory.note()[:_SIZE]
        fields = struct.unpack(_FORMAT, note)
        self.cold = fields[0] != _MAGIC or fields[-1] != _crc(note)  # nothing is known of a former wake
        if self.cold:
            fields = (0,) * 8
        _, awake, phase, self._score, self.failed_in, self.cause, self.failures, _ = fields
        self.died = bool(awake)
        if awake:
            self._failed(phase, DIED)

    @property
    def level(self):
        """How much this wake should dare: FULL to OTHER_SLOT."""
        return min(OTHER_SLOT, self._score // _PER_LEVEL)

    def enter(self, phase):
        """Note that `phase` begins."""
        now = time.ticks_ms()
        self.spent_ms[self.phase] += time.ticks_diff(now, self._since_ms)
        self._since_ms = now
        self.phase = phase
        self._keep(1)

    def caught(self, error):
        """Note that the wake ends by an exception."""
        if isinstance(error, MemoryError):
            cause = NO_MEMORY
        else:
            cause = RAISED if isinstance(error, Exception) else INTERRUPTED
        self._failed(self.phase, cause)
        self._keep(0)

    def leave(self):
        """Note that the wake ends as it should: sleep, or a reset that somebody asked for."""
        self._score = max(0, self._score - 1)
        self._keep(0)

    def rest(self):
        """Note that the board goes to sleep at once, for the sake of a former wake."""
        self._keep(0)

    def begin_anew(self):
        """Note that another firmware comes next, which has not failed yet."""
        self._score = 0
        self._keep(0)

    def rest_ms(self, chance):
        """Return how long to sleep after a failure: doubling, the upper half by `chance` (0 to 65,535)."""
        longest = min(_LONGEST_REST_S, _FIRST_REST_S << min(12, max(0, self._score // _COST - 1)))
        return (longest // 2 + chance * (longest // 2 + 1) // 65536) * 1000

    def _failed(self, phase, cause):
        self.failed_in, self.cause = phase, cause
        self.failures = min(0xFFFF, self.failures + 1)
        self._score = min(_MOST, self._score + _COST)

    def _keep(self, awake):
        fields = (_MAGIC, awake, self.phase, self._score, self.failed_in, self.cause, self.failures)
        note = struct.pack(_FORMAT[:-1], *fields)
        self._memory.keep_note(note + struct.pack("<I", _crc(note)))


def _crc(note):
    return binascii.crc32(note[: _SIZE - 4]) & 0xFFFFFFFF
