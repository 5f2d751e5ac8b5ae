"""How far a recording is read, told on a terminal while nothing else is."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

EVERY_S = 1.0
_DAY_MS = 86_400_000
_ERASE = "\r\x1b[K"


class Timed(Protocol):
    """A sample of a recording."""

    @property
    def t_ms(self) -> int: ...


S = TypeVar("S", bound=Timed)


def with_progress(samples: Iterator[S], clock: Callable[[], float] = time.monotonic) -> Iterator[S]:
    """The same samples; on a terminal the days passed are told once a second, in place."""
    if not sys.stderr.isatty():
        yield from samples
        return
    next_s, begin_ms, told = clock() + EVERY_S, None, False
    try:
        for sample in samples:
            begin_ms = sample.t_ms if begin_ms is None else begin_ms
            if clock() >= next_s:
                next_s, told = clock() + EVERY_S, True
                days = (sample.t_ms - begin_ms) / _DAY_MS
                print(f"{_ERASE}derb: {days:.1f} days of the recording", end="", file=sys.stderr, flush=True)
            yield sample
    finally:
        if told:
            print(_ERASE, end="", file=sys.stderr, flush=True)
