"""The board's clock: real time while it computes, plus what it slept; sleeping may cost less than real time.

Also where the watchdog bites and where a timed power cut happens, since every way to pass time comes through
here.
"""

import time as _real

import simctl

_US_A_BEAT = 50_000
_US_A_FED_BEAT = 5000

_ticks_us = _real.ticks_us
_sleep_us = _real.sleep_us


class Clock:
    """Microseconds since this wake began, counted as the board would."""

    def __init__(self, street_ms, rtc_us, speed, boot_ms, cut_at_ms):
        self.street_us = street_ms * 1000
        self._rtc_us = rtc_us
        self._speed = speed
        self._skipped_us = boot_ms * 1000
        self._start_us = _ticks_us()
        self._beat_us = self._start_us
        self._cut_us = None if cut_at_ms is None else cut_at_ms * 1000
        self._wdt_us = None
        self._wdt_timeout_us = None
        self.wait_on_network = None  # callable(us): waits in real time while sockets are open; True if it did
        self.next_edge_us = None  # callable(from_us, to_us): when the next interrupt is due, or None
        self.deliver = None  # callable(): runs the interrupt handlers that are due
        self._delivering = False
        self.in_interrupt = False

    def raw_us(self):
        return _ticks_us() - self._start_us + self._skipped_us

    def now_us(self):
        """Time since the wake began; the watchdog bites here, and due interrupts run."""
        us = self.raw_us()
        self._check(us)
        if self.deliver and not self._delivering:
            self._run_interrupts()
        return us

    def street_now_us(self):
        return self.street_us + self.raw_us()

    def rtc_now_us(self):
        return self._rtc_us + self.raw_us()

    def set_rtc_us(self, rtc_us):
        us = self.raw_us()
        self._rtc_us = rtc_us - us
        simctl.rtc_set(us, rtc_us)

    def charge(self, us):
        """Let time pass that costs nothing real: a bus transfer, a conversion."""
        self._skipped_us += us

    def sleep(self, us):
        """Sleep on the board's clock, waking up for interrupts as they come."""
        until_us = self.raw_us() + us
        while True:
            us = self.now_us()
            if us >= until_us:
                return
            self._sleep_until(self._next_stop(us, until_us))

    def sleep_once(self, us):
        """Sleep until time is up or a pin interrupt is due; returns True for the interrupt (light sleep)."""
        us_now = self.now_us()
        until_us = us_now + us
        edge_us = self.next_edge_us(us_now, until_us) if self.next_edge_us else None
        self._sleep_until(until_us if edge_us is None else edge_us)
        return edge_us is not None

    def stall(self, us=None):
        """Wait for something that never comes, for `us` or for ever, in no real time."""
        if us is not None:
            self._jump(self.raw_us() + us)
        elif self._wdt_us is not None:
            self._jump(self._wdt_us)
        elif self._cut_us is not None:
            self._jump(self._cut_us)
        else:
            simctl.end("hang", us=self.raw_us(), rtc_us=self.rtc_now_us())

    def arm_wdt(self, timeout_us):
        self._wdt_timeout_us = timeout_us
        self.feed_wdt()
        self._beat(self.raw_us())

    def feed_wdt(self):
        us = self.now_us()
        self._wdt_us = us + self._wdt_timeout_us
        # The supervisor must know the new deadline even if the clock is never asked again.
        if _ticks_us() - self._beat_us > _US_A_FED_BEAT:
            self._beat(us)

    def end(self, kind, **content):
        """End the wake now."""
        simctl.end(kind, us=self.raw_us(), rtc_us=self.rtc_now_us(), **content)

    def _next_stop(self, us, until_us):
        edge_us = self.next_edge_us(us, until_us) if self.next_edge_us and not self._delivering else None
        return until_us if edge_us is None else edge_us

    def _sleep_until(self, until_us):
        for limit_us in (self._wdt_us, self._cut_us):
            if limit_us is not None and limit_us < until_us:
                until_us = limit_us
        left_us = until_us - self.raw_us()
        if left_us > 0 and not (self.wait_on_network and self.wait_on_network(left_us)) and self._speed:
            _sleep_us(int(left_us // self._speed))
        self._jump(until_us)

    def _jump(self, until_us):
        left_us = until_us - self.raw_us()
        if left_us > 0:
            self._skipped_us += left_us
        self._check(self.raw_us())

    def _check(self, us):
        if self._cut_us is not None and us >= self._cut_us:
            simctl.end("power_cut", us=self._cut_us, rtc_us=0)
        if self._wdt_us is not None and us >= self._wdt_us:
            simctl.end("wdt", us=self._wdt_us, rtc_us=self._rtc_us + self._wdt_us)
        if not self.in_interrupt and _ticks_us() - self._beat_us > _US_A_BEAT:
            self._beat(us)

    def _beat(self, us):
        self._beat_us = _ticks_us()
        simctl.beat(us, self._rtc_us + us, None if self._wdt_us is None else self._wdt_us - us)

    def _run_interrupts(self):
        self._delivering = True
        try:
            self.deliver()
        finally:
            self._delivering = False
