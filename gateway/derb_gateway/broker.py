"""The street's broker as the gateway's child: it starts first, ends last, and never outlives its parent."""

import asyncio
import ctypes
import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from derb_gateway.backoff import FullJitter
from derb_gateway.broker_access import replace_if_other, write_access
from derb_gateway.config import BrokerSettings
from derb_gateway.errors import BrokerError, BrokerMissing
from derb_gateway.mosquitto import find_mosquitto, mosquitto_conf, require_mosquitto

log = logging.getLogger(__name__)

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_READY_S = 15.0
_CONNECT_S = 2.0
_STOP_S = 10.0
_FREE_S = 3.0  # the broker of a gateway that was killed takes a moment to go
_LOOK_S = 0.02


def choose_engine(settings: BrokerSettings) -> str:
    """Return "mosquitto" or "amqtt"; BrokerMissing if what is asked for is not on this machine."""
    if settings.psk_port is not None or settings.engine == "mosquitto":
        require_mosquitto()
        return "mosquitto"
    if settings.engine == "auto" and find_mosquitto():
        return "mosquitto"
    if find_spec("amqtt") is None:
        msg = "there is no broker here: `sudo apt-get install mosquitto`, or `pip install amqtt` for a trial"
        raise BrokerMissing(msg)
    return "amqtt"


def broker_command(settings: BrokerSettings, engine: str, keys: Mapping[str, bytes]) -> list[str]:
    """Write what the broker needs into its folder and return its command line; `keys` are the nodes'."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    if engine == "amqtt":
        listener = f"{settings.bind}:{settings.port}"
        return [sys.executable, "-m", "derb_gateway.fallback_broker", listener, str(settings.directory)]
    conf = settings.directory / "mosquitto.conf"
    write_access(settings, keys)
    replace_if_other(conf, mosquitto_conf(settings, rights=True))
    return [str(require_mosquitto()), "-c", str(conf)]


class BrokerProcess:
    """Keeps the child alive; `run` ends when it is cancelled. `keys`: of the nodes that it shall know."""

    def __init__(self, settings: BrokerSettings, keys: Mapping[str, bytes] | None = None) -> None:
        self.engine = choose_engine(settings)
        only_311 = {"protocol": "3.1.1"} if self.engine == "amqtt" else {}
        self.settings = settings.model_copy(update=only_311)
        self.restarts = 0
        self._keys = keys or {}
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the child and wait until it takes connections; BrokerError if it does not."""
        if self.engine == "amqtt":
            log.warning("no mosquitto: amqtt stands in; it loses what it acknowledged when it restarts")
        await self._port_free()
        try:
            command = broker_command(self.settings, self.engine, self._keys)
        except OSError as error:
            msg = f"{self.settings.directory} cannot be written ({error.strerror}): make room, or give it to the gateway's user"
            raise BrokerError(msg) from error
        self._child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=_die_with_parent
        )
        await self._ready(self._child)
        log.info(
            "broker started",
            extra={"engine": self.engine, "port": self.settings.port, "pid": self._child.pid},
        )

    async def run(self) -> None:
        """Start the child again whenever it dies."""
        jitter = FullJitter(self.settings.retry_base_s, self.settings.retry_max_s)
        while True:
            if self._child is not None:
                code = await self._child.wait()
                log.error("broker died, starting it again", extra={"code": code})
            self.restarts += 1
            try:
                await self.start()
                jitter.reset()
            except (BrokerError, OSError, subprocess.SubprocessError) as error:
                log.error("broker does not start", extra={"why": str(error)})  # noqa: TRY400 - its text says it all
                await self.stop()
                await asyncio.sleep(jitter.next_s())

    def admit(self, keys: Mapping[str, bytes]) -> None:
        """Let the broker know these nodes, and no others, from now on. OSError if its folder cannot be written."""
        self._keys = keys
        if self.engine == "mosquitto" and self._child is not None and self._child.returncode is None:
            write_access(self.settings, keys)
            self._child.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """End the child: politely, so that it saves its sessions; then by force."""
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        child.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()

    async def _port_free(self) -> None:
        deadline = asyncio.get_running_loop().time() + _FREE_S
        while (fault := await port_fault(self.settings)) is not None:
            if asyncio.get_running_loop().time() > deadline:
                raise BrokerError(fault)
            await asyncio.sleep(_LOOK_S)

    async def _ready(self, child: asyncio.subprocess.Process) -> None:
        deadline = asyncio.get_running_loop().time() + _READY_S
        while not await reachable(self.settings.host, self.settings.port):
            if child.returncode is not None:
                msg = f"the broker ended at once ({child.returncode}); what it said stands before this"
                raise BrokerError(msg)
            if asyncio.get_running_loop().time() > deadline:
                msg = f"the broker takes no connection on port {self.settings.port} after {_READY_S:.0f} s"
                raise BrokerError(msg)
            await asyncio.sleep(_LOOK_S)
        await asyncio.sleep(_LOOK_S)
        if child.returncode is not None:  # what answered was somebody else
            raise BrokerError(_taken(self.settings.port))


async def port_fault(settings: BrokerSettings) -> str | None:
    """Return why no broker could be started at its port now and what to do; None if one could."""
    if await reachable(settings.host, settings.port):
        return _taken(settings.port)
    with socket.socket(socket.AF_INET6 if ":" in settings.bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker does
        try:
            probe.bind((settings.bind, settings.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return _taken(settings.port)
            return f"no broker can listen at {settings.bind}:{settings.port} (bind, port): {error.strerror}"
    return None


def _taken(port: int) -> str:
    return (
        f"port {port} is taken by another program: stop it"
        " (on Debian: sudo systemctl disable --now mosquitto) or set manage = false"
    )


async def reachable(host: str, port: int) -> bool:
    """Return whether something takes connections there."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return True  # it did take the connection
    return True


def _die_with_parent() -> None:
    """In the child: a gateway that is killed must not leave a broker on the port (Linux: prctl(2))."""
    os.setpgrp()  # a Ctrl-C in the terminal is for the gateway, which stops the broker last
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
