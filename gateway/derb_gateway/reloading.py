"""Taking the configuration and the registry again while the gateway runs (SIGHUP). What is wrong leaves the old in force."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from derb_gateway.alarms import CONFIG_NOT_TAKEN, clear, raise_alarm
from derb_gateway.config import Config
from derb_gateway.config_changes import Changes, changes
from derb_gateway.errors import ConfigError, GatewayError
from derb_gateway.intake import Limits
from derb_gateway.logs import set_level
from derb_gateway.registry import load_registry
from derb_gateway.store import Store

if TYPE_CHECKING:
    from derb_gateway.app import Server

log = logging.getLogger(__name__)


class Reloading:
    """Reads again whenever it is asked to, once at a time. The intake goes on meanwhile."""

    def __init__(self, server: "Server", read: Callable[[], Config] | None) -> None:
        """`read` gives the configuration as it is in the file now, ConfigError; None: there is no file."""
        self._server = server
        self._read = read
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have it done soon."""
        self._asked.set()

    async def run(self) -> None:
        """Do what is asked until cancelled."""
        await self._good()
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._server.manager.reloading()
            try:
                await self.reload()
            except Exception:
                log.exception("not reloaded")  # a fault of ours; what runs goes on running
            self._server.manager.reloaded()

    async def reload(self) -> None:
        """Read both files and take what can be taken."""
        if self._read is not None:
            try:
                found = changes(self._server.config, self._read())
            except ConfigError as error:
                await self._bad(error)
            else:
                await self._take(found)
                await self._good()
        self._take_registry()

    async def _take(self, found: Changes) -> None:
        server, config = self._server, found.config
        server.config = config
        set_level(config.log)
        server.housekeeping.settings = config.store
        server.street.gather_s = config.store.gather_ms / 1000
        server.liveness.stall_after_s = config.stall_after_s
        limits = limits_of(config)
        with suppress(GatewayError):  # a disk that refuses now says so itself
            await server.writer.do(lambda _: server.intake.set_limits(limits))
        await server.forwarding.change(found.sinks_gone, found.sinks_set, config.stop_deadline_s)
        if found.at_once:
            log.info("configuration taken", extra={"changed": found.at_once})
        if found.at_start:
            log.warning("some changes wait for the next start", extra={"keys": found.at_start})

    def _take_registry(self) -> None:
        server = self._server
        try:
            registry = load_registry(server.config.registry, server.clock.wall_ms())
        except GatewayError as error:
            log.error("registry not taken", extra={"why": str(error)})  # noqa: TRY400 - its text says it all
        else:
            server.put_in_force(registry)
            server.keeper.changed()
            log.info("registry taken", extra={"nodes": len(registry.keys)})

    async def _bad(self, error: ConfigError) -> None:
        log.error("configuration not taken", extra={"why": str(error)})
        now_ms, detail = self._server.clock.wall_ms(), f"the old one stays in force: {error}"
        await self._note(lambda store: raise_alarm(store.db, CONFIG_NOT_TAKEN, detail, now_ms))

    async def _good(self) -> None:
        """Take the alarm back: what it said is no longer so."""
        await self._note(lambda store: clear(store.db, CONFIG_NOT_TAKEN))

    async def _note(self, work: Callable[[Store], object]) -> None:
        with suppress(GatewayError):  # the log has it too
            await self._server.writer.do(work)


def limits_of(config: Config) -> Limits:
    """Return how much of what is refused is kept."""
    kept = config.store
    return Limits(kept.quarantine_rows, kept.quarantine_bytes, kept.waiting_nodes)
