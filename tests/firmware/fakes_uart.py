"""A UART on which bytes come at 9,600 baud, and are lost when nobody fetches them."""

BYTE_US = 1042  # ten bits
BUFFER = 256


class Uart:
    """`machine.UART` without a timeout. `script`: (ms after the start, bytes); `repeat_ms` starts it over, 0 does not."""

    def __init__(self, clock, script, repeat_ms=0):
        self.clock = clock
        self.lost = 0
        self._script = script
        self._repeat_us = repeat_ms * 1000
        self._round_us = 0
        self._line = []
        self._waiting = bytearray()
        self._load()

    def any(self):
        self._arrive()
        return len(self._waiting)

    def read(self, count=None):
        self.clock.us += 20
        self._arrive()
        if not self._waiting:
            return None  # not b"": that is how the ESP32 port does it
        count = len(self._waiting) if count is None else min(count, len(self._waiting))
        got = bytes(self._waiting[:count])
        self._waiting = self._waiting[count:]
        return got

    def _load(self):
        for ms, sent in self._script:
            for i in range(len(sent)):
                self._line.append((self._round_us + ms * 1000 + (i + 1) * BYTE_US, sent[i]))

    def _arrive(self):
        while True:
            while self._line and self._line[0][0] <= self.clock.us:
                byte = self._line.pop(0)[1]
                if len(self._waiting) < BUFFER:
                    self._waiting.append(byte)
                else:
                    self.lost += 1
            if self._line or not self._repeat_us:
                return
            self._round_us += self._repeat_us
            self._load()
