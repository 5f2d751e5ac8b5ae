"""Taking the configuration and the registry again while the gateway runs (SIGHUP). What is wrong leaves the old in force."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from derb_gateway.alarms import CONFIG_NOT_TAKEN, REGISTRY_NOT_TAKEN, clear, raise_alarm
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
        self.failed = 0  # reloads of which something was not taken

    def ask(self) -> None:
        """Have it done soon."""
        self._asked.set()

    async def run(self) -> None:
        """Do what is asked until cancelled."""
        await self._good(CONFIG_NOT_TAKEN, REGISTRY_NOT_TAKEN)
        while True:
            await self._asked.wait()
            self._asked.clear()
            self._server.manager.reloading()
            try:
                taken = await self.reload()
            except Exception:
                log.exception("not reloaded")  # a fault of ours; what runs goes on running
                taken = False
            self.failed += not taken
            self._server.manager.reloaded()

    async def reload(self) -> bool:
        """Read both files and take what can be taken; return whether that was all."""
        config_taken = self._read is None or await self._take_config(self._read)
        return await self._take_registry() and config_taken

    async def _take_config(self, read: Callable[[], Config]) -> bool:
        try:
            found = changes(self._server.config, read())
        except ConfigError as error:
            log.error("configuration not taken", extra={"why": str(error)})  # noqa: TRY400 - its text says it all
            await self._bad(CONFIG_NOT_TAKEN, error)
            return False
        await self._take(found)
        await self._good(CONFIG_NOT_TAKEN)
        return True

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

    async def _take_registry(self) -> bool:
        server = self._server
        try:
            registry = load_registry(server.config.registry, server.clock.wall_ms())
        except GatewayError as error:
            log.error("registry not taken", extra={"why": str(error)})  # noqa: TRY400 - likewise
            await self._bad(REGISTRY_NOT_TAKEN, error)
            return False
        server.put_in_force(registry)
        server.keeper.changed()
        log.info("registry taken", extra={"nodes": len(registry.keys)})
        await self._good(REGISTRY_NOT_TAKEN)
        return True

    async def _bad(self, alarm: str, error: GatewayError) -> None:
        now_ms, detail = self._server.clock.wall_ms(), f"the old one stays in force: {error}"
        await self._note(lambda store: raise_alarm(store.db, alarm, detail, now_ms))

    async def _good(self, *alarms: str) -> None:
        """Take alarms back: what they said is no longer so."""
        await self._note(lambda store: clear(store.db, *alarms))

    async def _note(self, work: Callable[[Store], object]) -> None:
        with suppress(GatewayError):  # the log has it too
            await self._server.writer.do(work)


def limits_of(config: Config) -> Limits:
    """Return how much of what is refused is kept."""
    kept = config.store
    return Limits(kept.quarantine_rows, kept.quarantine_bytes, kept.waiting_nodes)
