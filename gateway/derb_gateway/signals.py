"""What a daemon is told from outside: to stop, to stop at once, to read its files again."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

_FORCED = 130
_STOP = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told(stop: asyncio.Event, reload: Callable[[], None]) -> Iterator[None]:
    """First SIGTERM or SIGINT: set `stop`. Second: end at once. SIGHUP: call `reload`."""
    loop = asyncio.get_running_loop()
    for number in _STOP:
        loop.add_signal_handler(number, _stop, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number in (*_STOP, signal.SIGHUP):
            loop.remove_signal_handler(number)


def _stop(stop: asyncio.Event) -> None:
    if stop.is_set():
        log.warning("forced to stop; what is not acknowledged will come again")
        os._exit(_FORCED)
    log.info("stopping")
    stop.set()
