"""`machine.RTC` of the ESP32 port: 2,048 bytes that survive sleep, reset and watchdog, not power loss."""

import sim_time

_MEMORY_BYTES = 2048

_clock = None
_file = None


def setup(clock, file):
    global _clock, _file
    _clock, _file = clock, file


class RTC:
    def __init__(self, id=0):
        if id != 0:
            raise ValueError("RTC(%d) doesn't exist" % id)

    def memory(self, content=None):
        if content is None:
            _file.seek(0)
            size = int.from_bytes(_file.read(2), "little")
            return _file.read(size)
        content = bytes(content)
        if len(content) > _MEMORY_BYTES:
            raise ValueError("buffer too long")
        _file.seek(0)
        _file.write(
            len(content).to_bytes(2, "little") + content
        )  # one write: a kill leaves the old or the new

    def datetime(self, when=None):
        if when is None:
            y, mo, d, h, mi, s, wd, _ = sim_time.gmtime()
            return y, mo, d, wd, h, mi, s, _clock.rtc_now_us() % 1_000_000
        y, mo, d, _, h, mi, s, us = when
        _clock.set_rtc_us(sim_time.mktime((y, mo, d, h, mi, s, 0, 0)) * 1_000_000 + us)

    init = datetime
