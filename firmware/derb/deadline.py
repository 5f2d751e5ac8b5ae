"""One budget for everything in a wake that can wait."""

import time


class Deadline:
    """So many milliseconds from now; handed to every call that may wait."""

    def __init__(self, ms):
        self._end = time.ticks_add(time.ticks_ms(), ms)

    def left(self):
        """Return the milliseconds that are left, 0 when it is over."""
        return max(0, time.ticks_diff(self._end, time.ticks_ms()))

    def over(self):
        """Return whether the time is up."""
        return self.left() == 0

    def extend(self, ms):
        """Let it end no sooner than `ms` from now: an order gives the wake more time, for everyone who holds this."""
        if self.left() < ms:
            self._end = time.ticks_add(time.ticks_ms(), ms)

    def within(self, ms):
        """Return a deadline of at most `ms` from now that does not end after this one."""
        return Deadline(min(ms, self.left()))
