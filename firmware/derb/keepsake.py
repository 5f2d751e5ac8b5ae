"""The detector's record in flash, where it outlives a loss of power: seldom enough for the flash, often enough to be of use."""

from micropython import const

_NAME = "bay"
_EVERY_S = const(21600)  # one save more may be made after so long: four a day
_MOST = const(2)
_LONGEST = const(256)
SIZE = 6


class Keepsake:
    """Saves at changes of state, and now and then when nothing changes, for the field drifts.

    `nvs` offers `get_blob`, `set_blob` and `commit` as esp32.NVS does; `writes` counts.
    """

    def __init__(self, nvs, saved=b""):
        """Go on from `dumps()`; anything else begins anew."""
        self._nvs = nvs
        self._state = 0
        self._allowed = _MOST
        self._since_s = 0
        self.writes = 0
        if len(saved) == SIZE:
            self._state, self._allowed = saved[0], min(saved[1], _MOST)
            self._since_s = int.from_bytes(saved[2:], "little")

    def recall(self):
        """Return what was saved last, b"" if there is nothing."""
        record = bytearray(_LONGEST)
        try:
            return bytes(record[: self._nvs.get_blob(_NAME, record)])
        except OSError:
            return b""  # never saved

    def offer(self, now_s, parking):
        """Save the detector's record if it is time; `now_s` may have gone back."""
        state = parking.state
        if not self._is_due(now_s, state) or parking.busy or not state:
            return
        self._nvs.set_blob(_NAME, parking.dumps())
        self._nvs.commit()
        self.writes += 1
        if self._allowed == _MOST:
            self._since_s = now_s
        self._allowed -= 1
        self._state = state

    def _is_due(self, now_s, state):
        if now_s < self._since_s:
            self._since_s = now_s
        while now_s - self._since_s >= _EVERY_S and self._allowed < _MOST:
            self._allowed += 1
            self._since_s += _EVERY_S
        stale = self._allowed == _MOST and now_s - self._since_s >= 2 * _EVERY_S
        return self._allowed > 0 and (state != self._state or stale)

    def dumps(self):
        """Return what must be remembered in sleep, SIZE bytes."""
        return bytes((self._state, self._allowed)) + self._since_s.to_bytes(4, "little")
