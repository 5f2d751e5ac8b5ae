"""When the detector's record goes to flash, where it outlives a loss of power: seldom enough for the flash, often enough to be of use."""

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


_EVERY_S = const(10800)  # one save more may be made after so long: eight a day
_MOST = const(3)


class Keepsake:
    """Saves are made at changes of state, and now and then when nothing changes, for the field drifts."""

    def __init__(self, saved=None):
        """Go on from `dumps()`."""
        self._state = 0
        self._allowed = _MOST
        self._since_s = 0
        if saved is not None and len(saved) == 6:
            self._state, self._allowed = saved[0], saved[1]
            self._since_s = int.from_bytes(saved[2:6], "little")

    def is_due(self, now_s, state, busy):
        """Return whether to save now."""
        if now_s < self._since_s:
            self._since_s = now_s
        while now_s - self._since_s >= _EVERY_S and self._allowed < _MOST:
            self._allowed += 1
            self._since_s += _EVERY_S
        if self._allowed == _MOST:
            old = now_s - self._since_s >= 2 * _EVERY_S
        else:
            old = False
        return not busy and self._allowed > 0 and state > 0 and (state != self._state or old)

    def done(self, now_s, state):
        """It was saved."""
        if self._allowed == _MOST:
            self._since_s = now_s
        self._allowed -= 1
        self._state = state

    def dumps(self):
        """Return what must be remembered in sleep, 6 bytes."""
        return bytes((self._state, self._allowed)) + self._since_s.to_bytes(4, "little")
