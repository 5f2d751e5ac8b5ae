"""The daemon: start up, run, shut down."""

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from derb_gateway.broker import BrokerProcess
from derb_gateway.clock import Clock
from derb_gateway.config import BrokerSettings, Config, SinkSettings
from derb_gateway.errors import GatewayError
from derb_gateway.housekeeping import Housekeeping
from derb_gateway.intake import Intake, Limits
from derb_gateway.mqtt_intake import MqttIntake
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.progress import Progress
from derb_gateway.registry import load_registry
from derb_gateway.relay_intake import RelayIntake
from derb_gateway.releases import Releases, releases_path
from derb_gateway.sinks.forwarder import Forwarder
from derb_gateway.sinks.kinds import SinkSurroundings, make_sink
from derb_gateway.store import Store
from derb_gateway.wear import Wear
from derb_gateway.writer import Writer

log = logging.getLogger(__name__)

_FORCED = 130


class Server:
    """One gateway. `serve` is its whole life."""

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        """ConfigError if the registry is wrong; nothing is opened yet."""
        self.config = config
        self.clock = clock or Clock()
        self.registry = load_registry(config.registry)
        self.stop = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._broker: BrokerProcess | None = None

    async def serve(self) -> None:
        """Run until told to stop. StopError at startup if a person must act first."""
        with self._signals():
            await self.startup()
            try:
                await self.main_loop()
            finally:
                await self.shutdown()

    async def startup(self) -> None:
        """Open the store, start the broker if it is ours, begin to take and to forward."""
        config = self.config
        self.store = Store(config.store.path)
        kept = config.store
        limits = Limits(kept.quarantine_rows, kept.quarantine_bytes, kept.waiting_nodes)
        self.intake = Intake(self.registry, limits, slack_ms=int(2000 * self.clock.speed))
        broker = await self._start_broker() if config.broker.manage else config.broker
        self.orders = OrderBook(orders_path(config.store.path))
        self.releases = Releases(releases_path(config.store.path))
        self.writer = Writer(self.store, self.intake.forget)
        self.progress = Progress(self.store.last_id())
        client_id = config.broker.client_id or f"derb-{config.site}"
        street = MqttIntake(
            broker,
            client_id,
            self.clock,
            self.writer,
            self.intake,
            self.progress,
            self.orders,
            self.releases,
            gather_s=kept.gather_ms / 1000,
        )
        self.forwarders = [self._forwarder(settings) for settings in config.sink]
        self._start("intake", street.run(self.stop))
        if config.relay:
            self.relays = RelayIntake(
                config.relay,
                self.clock,
                self.writer,
                self.intake,
                self.progress,
                self.orders,
                self.releases,
            )
            self._start("relays", self.relays.run(self.stop))
        for forwarder in self.forwarders:
            self._start(f"sink {forwarder.name}", forwarder.run())
        sinks = [settings.name for settings in config.sink]
        self.housekeeping = Housekeeping(config.store, sinks, self.writer, self.progress, Wear())
        self._start("housekeeping", self.housekeeping.run())
        log.info("gateway started", extra={"site": config.site, "nodes": len(self.registry.keys)})

    async def main_loop(self) -> None:
        """Wait for the order to stop, or for a task that ends by itself, which none should."""
        stopping = asyncio.create_task(self.stop.wait(), name="stop")
        await asyncio.wait([stopping, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for name, task in self._tasks.items():
            if task.done() and not self.stop.is_set():
                log.error("task ended by itself", extra={"task": name})
                task.result()

    async def shutdown(self) -> None:
        """Stop taking, keep what came, hand on what can be handed on in time, let go."""
        self.stop.set()
        await self._finish("intake", "relays")
        for forwarder in self.forwarders:
            forwarder.drain()
        await self._finish(*(f"sink {forwarder.name}" for forwarder in self.forwarders))
        await self._cancel_all()
        with suppress(GatewayError):  # what was written is noted next time
            await self.housekeeping.note_wear()
        self.writer.close()
        self.orders.close()
        self.store.close()
        if self._broker is not None:
            await self._broker.stop()
        log.info("gateway stopped")

    def reload_registry(self) -> None:
        """Take the registry file as it is now; a wrong one is logged and the old one stays."""
        try:
            self.registry = self.intake.registry = load_registry(self.config.registry)
        except GatewayError as error:
            log.error("registry not taken", extra={"why": str(error)})  # noqa: TRY400 - its text says it all
        else:
            self._admit_nodes()
            log.info("registry taken", extra={"nodes": len(self.registry.keys)})

    def _admit_nodes(self) -> None:
        try:
            if self._broker is not None:
                self._broker.admit(self.registry.keys)
        except OSError as error:
            log.error("the broker does not know the new registry", extra={"why": str(error)})  # noqa: TRY400 - likewise

    async def _start_broker(self) -> BrokerSettings:
        """Return how to speak to the broker that was started."""
        self._broker = BrokerProcess(self.config.broker, self.registry.keys)
        try:
            await self._broker.start()
        except GatewayError:
            await self._broker.stop()
            self.store.close()
            raise
        self._start("broker", self._broker.run())
        return self._broker.settings

    def _forwarder(self, settings: SinkSettings) -> Forwarder:
        return Forwarder(
            settings.name,
            make_sink(
                settings, SinkSurroundings(self.config.site, self.config.store.path, lambda: self.registry)
            ),
            settings,
            (settings.retry_base_s, settings.retry_max_s),
            path=self.config.store.path,
            writer=self.writer,
            progress=self.progress,
            registry=lambda: self.registry,
        )

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(work, name=name)

    async def _finish(self, *names: str) -> None:
        """Give tasks until the deadline to end by themselves."""
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self.config.stop_deadline_s)
            for task in late:
                log.warning("task did not end in time", extra={"task": task.get_name()})

    async def _cancel_all(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        results = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for name, result in zip(self._tasks, results, strict=True):
            if isinstance(result, Exception):
                log.error("task failed", extra={"task": name, "why": repr(result)})

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """First SIGTERM or SIGINT: stop cleanly. Second: at once. SIGHUP: read the registry again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload_registry)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _told_to_stop(self) -> None:
        if self.stop.is_set():
            log.warning("forced to stop; what is not acknowledged will come again")
            os._exit(_FORCED)
        log.info("stopping")
        self.stop.set()
