"""`time` as the ESP32 port has it, on the board's clock: ticks wrap at 2^30 and the epoch is 2000-01-01."""

import time as _real

_PERIOD = 1 << 30
_HALF = 1 << 29
_EPOCH_2000_S = 946_684_800

_clock = None
_ticks_ms_start = 0
_ticks_us_start = 0


def setup(clock, ticks_start_ms):
    global _clock, _ticks_ms_start, _ticks_us_start
    _clock = clock
    _ticks_ms_start = ticks_start_ms
    _ticks_us_start = ticks_start_ms * 1000 % _PERIOD


def ticks_ms():
    return (_clock.now_us() // 1000 + _ticks_ms_start) & (_PERIOD - 1)


def ticks_us():
    return (_clock.now_us() + _ticks_us_start) & (_PERIOD - 1)


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & (_PERIOD - 1)


def ticks_diff(end, start):
    return ((end - start + _HALF) & (_PERIOD - 1)) - _HALF


def sleep(seconds):
    _sleep_us(int(seconds * 1_000_000))


def sleep_ms(ms):
    _sleep_us(ms * 1000)


def sleep_us(us):
    _sleep_us(us)


def _sleep_us(us):
    if us > 0:
        _clock.sleep(us)
    else:
        _clock.now_us()


def time():
    _clock.now_us()
    return _clock.rtc_now_us() // 1_000_000


def time_ns():
    _clock.now_us()
    return _clock.rtc_now_us() * 1000


def gmtime(seconds=None):
    return _real.gmtime((time() if seconds is None else seconds) + _EPOCH_2000_S)[:8]


localtime = gmtime


def mktime(when):
    # The unix port's own mktime() follows the laptop's time zone, so the days are counted here.
    year, month, day, hour, minute, second = when[:6]
    year, month = year - (month <= 2), (month + 9) % 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (month * 306 + 5) // 10 + day - 1 - 730_425
    return days * 86_400 + hour * 3600 + minute * 60 + second
