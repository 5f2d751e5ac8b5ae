"""Ultrasonic rangers that speak unasked over a wire at 9,600 baud: DYP A02YYUW and MaxBotix HRXL-MaxSonar-WR.

A recording's `echo_us` -1 (no echo start) is a ranger that says nothing; its -2 (echo never ended) is one that sees no
target: 0 from an A02YYUW, its reach from a MaxBotix.
"""

import math

BAUD = 9600
_BYTE_US = 1042
_NO_START = -1
_NO_TARGET = -2


def _a02yyuw(mm):
    distance = 0 if mm is None else mm
    high, low = distance >> 8, distance & 0xFF
    return bytes((0xFF, high, low, (0xFF + high + low) & 0xFF))


def _maxbotix(mm):
    return b"R%04d\r" % (5000 if mm is None else max(300, min(5000, mm)))


# Frame, time from one to the next, time from power to the first, and what is said before it.
_KINDS = {
    "a02yyuw": (_a02yyuw, 100_000, 100_000, b""),
    "maxbotix": (_maxbotix, 150_000, 100_000, b"HRXL-MaxSonar-WRMT\rPN:MB7389\r"),
}


class UartRanger:
    """`powered`: whether its supply is always on; else `power(level, street_us)` switches it."""

    def __init__(self, kind, echoes, powered):
        self._frame, self._period_us, self._warm_up_us, self._greeting = _KINDS[kind]
        self._echoes = echoes
        self._on_us = 0 if powered else None

    def power(self, level, street_us):
        """The pin of its supply has been set to `level`."""
        if not level:
            self._on_us = None
        elif self._on_us is None:
            self._on_us = street_us

    def sent(self, from_us, to_us):
        """The bytes that were whole on the wire in that span, `from_us` not in it."""
        if self._on_us is None:
            return b""
        out = self._part(self._greeting, self._on_us, from_us, to_us) if self._on_us else b""
        first = max(0, (from_us - self._on_us - self._warm_up_us) // self._period_us - 1)
        last = (to_us - self._on_us - self._warm_up_us) // self._period_us
        for number in range(first, last + 1):
            at_us = self._on_us + self._warm_up_us + number * self._period_us
            out += self._part(self._said(number, at_us), at_us, from_us, to_us)
        return out

    def temp_c100(self, street_us):
        return self._echoes.at(street_us // 1000)[1]

    def _said(self, number, at_us):
        _, temp_c100, echoes_us = self._echoes.at(at_us // 1000)
        echo_us = echoes_us[number % len(echoes_us)]
        if echo_us == _NO_START:
            return b""
        if echo_us == _NO_TARGET:
            return self._frame(None)
        speed_mm_us = 0.3313 * math.sqrt(1 + temp_c100 / 27315)
        return self._frame(round(echo_us * speed_mm_us / 2))

    @staticmethod
    def _part(said, at_us, from_us, to_us):
        return bytes(said[i] for i in range(len(said)) if from_us < at_us + (i + 1) * _BYTE_US <= to_us)
