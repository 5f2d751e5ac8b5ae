"""Telling systemd how we fare (sd_notify(3)): ready, alive, reloading, stopping, and in words what we wait for.

The protocol is one datagram a message. `sdnotify` on PyPI is these same ten lines, last released in 2017, and swallows every
error; `systemd-python` and `cysystemd` must be compiled against libsystemd, on a Pi. So these are our own.

Without NOTIFY_SOCKET in the environment nothing is told to anybody.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from derb_gateway.vitals import Vitals

log = logging.getLogger(__name__)

_LOOK_S = 5.0
_LOOK_BEFORE_READY_S = 0.25
_STATUS_CHARACTERS = 200


class ServiceManager:
    """Who started us, if it wants to know how we fare."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog_s = _watchdog_s(environ)
        self._is_ready = False
        self._status = ""
        self._probes = 0

    @property
    def listens(self) -> bool:
        """Return whether there is anybody to tell."""
        return bool(self._address)

    @property
    def look_s(self) -> float:
        """Return how often it must be looked how we fare: three times before the watchdog loses patience."""
        return min(_LOOK_S, self.watchdog_s / 3) if self.watchdog_s else _LOOK_S

    async def run(self, vitals: Vitals) -> None:
        """Tell until cancelled."""
        while True:
            self.look(vitals)
            await asyncio.sleep(self.look_s if self._is_ready else min(self.look_s, _LOOK_BEFORE_READY_S))

    def look(self, vitals: Vitals) -> None:
        """Say what has changed; feed the watchdog only if something got on since the last time."""
        obstacles = vitals.obstacles()
        if not obstacles and not self._is_ready:
            self._is_ready = True
            self._tell("READY=1")
        self._say("taking readings" if not obstacles else f"waiting: {'; '.join(obstacles)}")
        liveness = vitals.liveness
        got_on = liveness.probes != self._probes or liveness.is_replacing()
        if self.watchdog_s and got_on and not vitals.stalls():
            self._probes = liveness.probes
            self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """Say that the configuration is read again."""
        if self._is_ready:
            self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Say that it was."""
        if self._is_ready:
            self._tell("READY=1")

    def stopping(self) -> None:
        """Say that we are about to end."""
        self._tell("STOPPING=1")

    def _say(self, status: str) -> None:
        told = " ".join(status.split())[:_STATUS_CHARACTERS]
        if told != self._status:
            self._status = told
            self._tell(f"STATUS={told}")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.setblocking(False)  # the event loop waits for no supervisor
                channel.sendto(message.encode(), address)
        except OSError as error:
            log.warning("the service manager does not listen", extra={"why": str(error)})


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """Return how long its watchdog waits for us, 0 if there is none, or if it watches another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    with suppress(ValueError):
        return max(0.0, int(environ.get("WATCHDOG_USEC", "0")) / 1e6)
    return 0.0
