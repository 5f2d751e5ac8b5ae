from derb.episodes import ENDED, Episodes
from derb.suppositions import Suppositions
UNKNOWN, FREE, OCCUPIED = 0, 1, 2
_FULL_SCALE_NT = 390000
_BLIND_MS = 60000
_STUCK_SAMPLES = 60
_STUCK_MS = 600000
_LONGEST_MS = 1 << 22
DEBUG = None
class Parking:
    def __init__(self, saved=None):
        self.state = FREE; self.confidence = 50
        self._s = Suppositions(); self._e = Episodes(self._s.place)
        self._started = False
        self._last = [0,0,0]; self._same_n = self._same_ms = 0
        self.lean = -60
    @property
    def busy(self): return self._e.busy
    def step(self, dt_ms, x, y, z, temp, rssi=None):
        before = self.state
        saturated = max(abs(x), abs(y), abs(z)) >= _FULL_SCALE_NT
        dt_ms = self._news(max(1, min(dt_ms, _LONGEST_MS)), saturated, x, y, z)
        if not saturated:
            if not self._started:
                self._e.begin(x, y, z); self._started = True
            r = self._e.take(dt_ms, x, y, z)
            if r == ENDED:
                self._s.weigh(self._e, self._e.quiet_ms)
                if DEBUG: DEBUG(self)
                self.lean = self._s.lean()
            elif r == 0 and self._e.rest_ms < 25000:
                self._s.refine(*self._e.step)
        self.state = OCCUPIED if self.lean > 0 else FREE
        if self._same_n >= _STUCK_SAMPLES and self._same_ms >= (_BLIND_MS if saturated else _STUCK_MS):
            self.state = UNKNOWN
        return self.state != before
    def _news(self, dt_ms, saturated, x, y, z):
        last = self._last
        if saturated:
            self._same_n = _STUCK_SAMPLES
        elif x == last[0] and y == last[1] and z == last[2]:
            self._same_n = min(self._same_n + 1, _STUCK_SAMPLES)
        else:
            if self._same_n >= _STUCK_SAMPLES:
                dt_ms = min(dt_ms + self._same_ms, _LONGEST_MS)
            self._same_n = self._same_ms = 0
            last[0], last[1], last[2] = x, y, z
            return dt_ms
        self._same_ms = min(self._same_ms + dt_ms, _LONGEST_MS)
        return dt_ms
