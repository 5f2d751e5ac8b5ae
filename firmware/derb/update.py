"""An update over the air: fetched in pieces over many wakes, proven by its signature, tried, and kept or left.

NVS has `upd`, what was ordered and how it ended; `upd_key`, the public key; `upd_top`, the highest version that was ever
confirmed. How far it is, the files in the slot's folder say: one has its own name only once it was read back whole.
"""

import struct

import slots
from micropython import const

from derb import VERSION, answers

NONE = const(0)
FETCHING = const(1)
ON_TRIAL = const(2)
CONFIRMED = const(3)
RETURNED = const(4)
_REFUSED = const(16)  # and the reason above it

NO_KEY = const(1)
BAD_SIGNATURE = const(2)
MALFORMED = const(3)
OTHER_BOARD = const(4)
OTHER_BYTECODE = const(5)
NOT_NEWER = const(6)
BAD_FILE = const(7)
NO_ROOM = const(8)
NOT_THERE = const(9)
TOO_LATE = const(10)
NOT_PROVEN = const(11)
BATTERY_LOW = const(12)

_FORMAT = "<IIIBB"  # version, id of the command, its deadline, state, failures
_SIZE = const(14)
_MOST_FAILURES = const(3)
_KEY_SIZE = const(56)  # of an LMS public key


class Update:
    """The update of one node; `board` is the name that a manifest must have."""

    def __init__(self, nvs, board):
        self._nvs = nvs
        self.board = board
        self.left = 0  # bytes still to fetch, as far as that is known
        self.version, self.command, self._deadline, self._state, self._failures = self._load()

    def _load(self):
        buf = bytearray(_SIZE)
        try:
            if self._nvs.get_blob("upd", buf) == _SIZE:
                return struct.unpack(_FORMAT, buf)
        except OSError:
            pass  # none yet
        return 0, 0, 0, NONE, 0

    def _save(self):
        raw = struct.pack(
            _FORMAT, self.version, self.command, self._deadline, self._state, min(255, self._failures)
        )
        self._nvs.set_blob("upd", raw)
        self._nvs.commit()

    @property
    def state(self):
        """One of the states above, as in health field 28."""
        choice = slots.load(self._nvs)
        if self._state == FETCHING and choice[2] == slots.TRIAL:
            return ON_TRIAL
        return self._state

    @property
    def on_trial(self):
        """Whether what runs now, or will after the next start, is not confirmed."""
        return self.state == ON_TRIAL

    @property
    def wanted(self):
        """Whether there is something to fetch."""
        return self.state == FETCHING

    def begin(self, version, command, deadline):
        """Take the order to update; return 0, or the reason to refuse it."""
        reason = 0
        if not self.key():
            reason = NO_KEY
        elif not self.is_newer(version):
            reason = NOT_NEWER
        elif self.state == ON_TRIAL:
            reason = NOT_PROVEN
        else:
            self._forget()
            self.version, self.command, self._deadline = version, command, deadline
            self._state, self._failures = FETCHING, 0
            self._save()
        return reason

    def _forget(self):
        # What an earlier order began may be another release of the same version.
        slots.forget(self._nvs)
        from derb.download import Download

        Download(self, self._nvs).forget_parts()

    def news(self):
        """Return the reason if an update ended before this wake: 0 for a confirmed one; None if none did."""
        _, _, state, _, version = slots.load(self._nvs)
        if self._state != FETCHING or version != self.version or state == slots.TRIAL:
            return None
        if state == slots.RETURNED:
            self._end(RETURNED)
            return NOT_PROVEN
        # Power went between the confirmation and the note of it.
        self._end(CONFIRMED)
        return 0

    def prove(self):
        """A receipt came in this very wake: what is on trial stays. Return whether that is news."""
        if self.state != ON_TRIAL or self.version != VERSION:
            return False
        # The version is noted first: once it is confirmed, no older one may ever be taken.
        self._nvs.set_i32("upd_top", max(self.version, self._top()))
        self._nvs.commit()
        slots.confirm(self._nvs)
        self._end(CONFIRMED)
        return True

    def fetch(self, source, now_s):
        """Fetch until all is there and switch; `source(file, offset, size)` yields pieces, in order, and may raise LinkError.

        `now_s` is Unix time, 0 if it is not known. Return 0 when the new version is to be tried, else the reason why not.
        """
        from derb.download import Download, Ended

        download = Download(self, self._nvs)
        try:
            if now_s and now_s > self._deadline:
                raise Ended(TOO_LATE)
            download.run(source)
        except Ended as e:
            self._end(_REFUSED + e.args[0])
            return e.args[0]
        except OSError as e:
            if e.errno != 28:  # ENOSPC
                raise
            self._end(_REFUSED + NO_ROOM)
            download.wipe()
            return NO_ROOM
        slots.switch(self._nvs, self.version)
        return 0

    def _end(self, state):
        self._state = state
        self._save()

    def key(self):
        """Return the public key, b"" if this node takes no updates."""
        buf = bytearray(_KEY_SIZE)
        try:
            return bytes(buf[: self._nvs.get_blob("upd_key", buf)])
        except OSError:
            return b""  # this node takes no updates

    def _top(self):
        try:
            return self._nvs.get_i32("upd_top")
        except OSError:
            return 0  # nothing was ever confirmed

    def is_newer(self, version):
        """Return whether it is newer than what runs and no older than what was ever confirmed."""
        return version > VERSION and version >= self._top()

    def failed(self):
        """Count a failure that another try may mend; return whether there were too many."""
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            return True
        self._save()
        return False

    def answer(self, reason):
        """Return what is said to who ordered it, at its end."""
        return answers.answer(self.command, answers.FAILED if reason else answers.DONE, reason)
