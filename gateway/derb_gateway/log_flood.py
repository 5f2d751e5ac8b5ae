"""A message that comes again and again is written some times, then counted; the sum is written once.

A node that sends nonsense a thousand times a second must not fill the card with what is said about it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_WHOM = ("sink", "relay", "to", "task")  # one sink's flood must not hide another's first word
_KINDS = 1_000


@dataclass
class _Kind:
    """One kind of message in its present window; `last` is the latest that was left out."""

    until_s: float
    written: int = 0
    left_out: int = 0
    last: logging.LogRecord | None = None


class FloodGate(logging.Filter):
    """Lets `most` messages of a kind through in each window; a kind is a text, its level, and whom it is about."""

    def __init__(
        self,
        write: Callable[[logging.LogRecord], object],
        *,
        most: int = 20,
        window_s: float = 60.0,
        now_s: Callable[[], float] = time.monotonic,
        after: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        """`write` is given the sums; `after` has something done later, by itself in a thread."""
        super().__init__()
        self._write = write
        self._most = most
        self._window_s = window_s
        self._now_s = now_s
        self._after = after or _in_a_thread
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, ...], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message is to be written."""
        about = (str(vars(record).get(whom)) for whom in _WHOM)
        name = (record.name, record.levelname, str(record.msg), *about)
        with self._lock:
            kind = self._kind(name)
            if kind.written < self._most:
                kind.written += 1
                return True
            kind.left_out += 1
            kind.last = record
            is_first, left_s = kind.left_out == 1, kind.until_s - self._now_s()
        if is_first:
            self._after(max(0.0, left_s), self.sum_up)
        return False

    def sum_up(self, *, all_of_them: bool = False) -> None:
        """Write how many were left out, of windows that are over."""
        with self._lock:
            now_s = self._now_s()
            over = {n: k for n, k in self._kinds.items() if all_of_them or k.until_s <= now_s}
            for name in over:
                del self._kinds[name]
        for kind in over.values():
            if kind.last is not None:
                self._write(_sum_of(kind.last, kind.left_out))

    def _kind(self, name: tuple[str, ...]) -> _Kind:
        now_s = self._now_s()
        if name not in self._kinds and len(self._kinds) >= _KINDS:
            self._kinds = {n: k for n, k in self._kinds.items() if k.left_out or k.until_s > now_s}
            if len(self._kinds) >= _KINDS:
                name = ("others",)
        kind = self._kinds.get(name)
        if kind is None or (kind.until_s <= now_s and not kind.left_out):
            kind = self._kinds[name] = _Kind(now_s + self._window_s)
        return kind


def _sum_of(last: logging.LogRecord, left_out: int) -> logging.LogRecord:
    """Return the last message that was left out, with how many there were."""
    record = logging.makeLogRecord(vars(last))
    record.__dict__["left_out"] = left_out
    return record


def _in_a_thread(seconds: float, work: Callable[[], None]) -> None:
    timer = threading.Timer(seconds + 0.1, work)
    timer.daemon = True
    timer.start()
