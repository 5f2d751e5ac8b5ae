"""A parking bay: when to sample its field, and what to say about it."""

from derb import reading
from derb.deadline import Deadline
from derb.drivers import SensorError
from derb.keepsake import SIZE as _KEEPSAKE_SIZE
from derb.parking import Parking

_LEAST_SAMPLES = 2
_SAMPLE_TIMEOUT_MS = 3000
_HEAD = 9 + _KEEPSAKE_SIZE
_WATCH_NT = 3000  # nine times the noise of a LIS3MDL, less than the change by nearly every car


class Bay:
    """Says changes of state from the field that the chip sees which `find()` returns; `nap(ms)` sleeps lightly.

    `watches` after `sense`: the chip will wake the board when the field changes.
    """

    def __init__(self, find, config, saved, nap, keepsake, rssi_dbm=None):
        """`saved`: from `dumps()`, None after a loss of power, b"" to begin anew; `rssi_dbm`: signal of the last uplink.

        `keepsake(saved)` makes the Keepsake that remembers where power does not.
        """
        self._find = find
        self.watches = False
        self._config = config
        self._nap = nap
        self._rssi_dbm = rssi_dbm
        sound = saved is not None and len(saved) > _HEAD
        self._last_s = int.from_bytes(saved[:4], "little") if sound else None
        self._since_s = int.from_bytes(saved[4:8], "little") if sound else None
        self._keepsake = keepsake(saved[9:_HEAD] if sound else b"")
        if saved is None:
            self._detector = Parking(self._keepsake.recall(), lost_power=True)
        else:
            self._detector = Parking(bytes(saved[_HEAD:])) if sound else Parking()
        self.fault = saved[8] if sound else 0

    @property
    def state(self):
        """The bay's state, as in docs/protocol.md."""
        return self._detector.state

    def sense(self, now_s, deadline, first):
        """Sample until nothing moves; return [(kind, payload, urgent)].

        `first`: nobody has been told the state since power-on.
        """
        said, chip = [], None
        if self._since_s is None:
            self._since_s = now_s()
        try:
            chip = self._find()
            chip.start()
            self._sample(chip, now_s, deadline, said)
            if not said and (first or self.fault):
                said.append((reading.PARKING, self._payload(None), True))
            self._rest(chip)
            self._keepsake.offer(self._last_s, self._detector)
        except SensorError as e:
            said.extend(self._failed(e, first))
            _stop(chip)
        else:
            self.fault = 0
        return said

    def _sample(self, chip, now_s, deadline, said):
        count = 0
        while True:
            x, y, z, temp = chip.read(Deadline(_SAMPLE_TIMEOUT_MS))
            self._field = (x, y, z)
            now = now_s()
            dt_ms = (
                (now - self._last_s) * 1000
                if count == 0 and self._last_s is not None
                else self._config.sample_ms
            )
            self._last_s = now
            count += 1
            if self._detector.step(dt_ms, x, y, z, temp or 0, self._rssi_dbm):
                said.append((reading.PARKING, self._payload(now - self._since_s), True))
                self._since_s = now
            if count >= _LEAST_SAMPLES and not self._detector.busy or deadline.over():
                return
            self._nap(self._config.sample_ms)

    def _rest(self, chip):
        if chip.can_watch:
            self.watches = chip.watch(
                self._field[0], self._field[1], self._field[2], _WATCH_NT, Deadline(_SAMPLE_TIMEOUT_MS)
            )
        else:
            chip.stop()

    def _payload(self, previous_s):
        return reading.parking_payload(self._detector.state, self._detector.confidence, previous_s)

    def _failed(self, error, first):
        news = error.code != self.fault
        self.fault = error.code
        if not news:
            return []
        said = [(reading.ALARM, reading.alarm_payload(reading.SENSOR_FAULT, error.code), True)]
        said.append((reading.PARKING, reading.parking_payload(reading.UNKNOWN, 0, None), True))
        return said

    def dumps(self):
        """Return what must be remembered in sleep."""
        times = (self._last_s or 0).to_bytes(4, "little") + (self._since_s or 0).to_bytes(4, "little")
        return times + bytes((self.fault,)) + self._keepsake.dumps() + self._detector.dumps()


def _stop(chip):
    """Let the next wake set it up anew, whatever it hangs in."""
    try:
        if chip:
            chip.stop()
    except SensorError:
        pass  # it does not answer, which was said already
