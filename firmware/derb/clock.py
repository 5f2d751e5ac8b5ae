"""A node's time: seconds that go on in deep sleep, and what the gateway said the real time is.

`now()` counts seconds from power-on (machine time is never set). Readings are stamped with it. It turns into an age
without any true clock; only readings that outlive a loss of power need Unix time, which a fresh receipt brings
(docs/protocol.md, Time).
"""

from micropython import const

_EPOCH_S = const(946684800)  # the board counts from 2000


class Clock:
    """`now()` in seconds of this boot; `to_unix(t)` once the gateway told the time."""

    def __init__(self, seconds, unix_at_zero=0):
        """`seconds()` is time.time of the board; `unix_at_zero` is what `unix_at_zero` was when the node went to sleep."""
        self._seconds = seconds
        self.unix_at_zero = unix_at_zero

    def now(self):
        """Return seconds since power-on."""
        return self._seconds()

    @property
    def known(self):
        """Whether the gateway told the time since power-on."""
        return self.unix_at_zero != 0

    def learn(self, unix_s):
        """Take the gateway's time, which must come from a fresh receipt."""
        self.unix_at_zero = unix_s - self.now()

    def to_unix(self, t):
        """Return the Unix time of `t` seconds since power-on, or 0 if it is not known."""
        return t + self.unix_at_zero if self.known else 0


def seconds(time, machine, nvs):
    """Return a callable that counts seconds since power-on; the modules `time` and `machine`, and an esp32.NVS.

    Where certificates are verified the board's own clock must not say 2000: `time_floor` in NVS, the Unix time of the
    provisioning, is added to it once, at power-on, and taken off again here.
    """
    try:
        floor_s = nvs.get_i32("time_floor") - _EPOCH_S
    except OSError:
        return time.time  # none was provisioned
    if time.time() < floor_s:
        y, mo, d, h, mi, s, wd, _ = time.gmtime(floor_s + time.time())
        machine.RTC().datetime((y, mo, d, wd, h, mi, s, 0))
    return lambda: time.time() - floor_s
