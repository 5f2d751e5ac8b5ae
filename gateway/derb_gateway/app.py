"""The daemon: start up, run, shut down."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from derb_gateway.broker import BrokerProcess
from derb_gateway.campaign_alarm import CampaignAlarm
from derb_gateway.campaign_driver import CampaignDriver
from derb_gateway.client_name import client_name
from derb_gateway.clock import Clock
from derb_gateway.config import BrokerSettings, Config
from derb_gateway.errors import GatewayError
from derb_gateway.forwarding import Forwarding
from derb_gateway.housekeeping import Housekeeping
from derb_gateway.intake import Intake
from derb_gateway.liveness import Liveness
from derb_gateway.mqtt_intake import MqttIntake
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.parts import Parts
from derb_gateway.progress import Progress
from derb_gateway.pulled_intake import PulledIntake
from derb_gateway.registry import Registry, load_registry
from derb_gateway.registry_keeper import RegistryKeeper
from derb_gateway.relay_intake import RelayIntake
from derb_gateway.releases import Releases, releases_path
from derb_gateway.reloading import Reloading, limits_of
from derb_gateway.service_manager import ServiceManager
from derb_gateway.side_door import SideDoor
from derb_gateway.signals import told
from derb_gateway.sinks.kinds import SinkSurroundings
from derb_gateway.store import Store
from derb_gateway.street_replay import StreetReplay
from derb_gateway.vitals import Vitals
from derb_gateway.wear import Wear
from derb_gateway.writer import Writer

if TYPE_CHECKING:
    from derb_gateway.http_door import HttpDoor
    from derb_gateway.measures import Measures

log = logging.getLogger(__name__)


class Server:
    """One gateway. `serve` is its whole life."""

    def __init__(
        self, config: Config, clock: Clock | None = None, read: Callable[[], Config] | None = None
    ) -> None:
        """ConfigError if the registry is wrong; nothing is opened yet. `read` gives the configuration anew at SIGHUP."""
        self.config = config
        self.clock = clock or Clock()
        self.registry = load_registry(config.registry, self.clock.wall_ms())
        self.stop = asyncio.Event()
        self.manager = ServiceManager()
        self._reloading = Reloading(self, read)
        self._parts = Parts()
        self._broker: BrokerProcess | None = None
        self._listener: socket.socket | None = None
        self._door: HttpDoor | None = None

    async def serve(self) -> None:
        """Run until told to stop. StopError at startup if a person must act first."""
        with told(self.stop, self._reloading.ask):
            try:
                await self.startup()
                try:
                    await self.main_loop()
                finally:
                    await self.shutdown()
            finally:
                if self._listener is not None:
                    self._listener.close()

    async def startup(self) -> None:
        """Open the store, start the broker if it is ours, begin to take and to forward."""
        measures = self._measures()
        self._open_store(measures)
        broker = await self._start_broker() if self.config.broker.manage else self.config.broker
        self._take(broker, measures)
        self._forward()
        self._keep_registry()
        self._watch()
        if measures is not None:
            self._open_door(measures)
        log.info("gateway started", extra={"site": self.config.site, "nodes": len(self.registry.keys)})

    def _measures(self) -> "Measures | None":
        """Take the HTTP door's port, if there is to be one, before anything else is opened."""
        if self.config.http is None:
            return None
        from derb_gateway.http_door import listen  # what it needs takes memory
        from derb_gateway.measures import Measures

        self._listener = listen(self.config.http)
        return Measures()

    def _open_store(self, measures: "Measures | None") -> None:
        kept = self.config.store
        self.store = Store(kept.path)
        self.store.note_pid()
        self.intake = Intake(self.registry, limits_of(self.config), slack_ms=int(2000 * self.clock.speed))
        self.orders = OrderBook(orders_path(kept.path))
        self.releases = Releases(releases_path(kept.path))
        self.writer = Writer(self.store, self.intake.forget, *([measures.committed] if measures else []))
        self.progress = Progress(self.store.last_id())
        self._side_door = SideDoor(self.writer, self.intake, self.progress, self.orders)

    def _take(self, broker: BrokerSettings, measures: "Measures | None") -> None:
        """Begin to take what comes from the street."""
        self.street = MqttIntake(
            broker,
            self.config.broker.client_id or client_name(self.config.site, self.config.store.path),
            self.clock,
            self.writer,
            self.intake,
            self.progress,
            self.orders,
            self.releases,
            self.config.store.gather_ms / 1000,
            *([measures.confirmed] if measures else []),
        )
        self._parts.start("intake", self.street.run(self.stop))
        replay = StreetReplay(self._side_door)
        self._parts.start("replay", replay.run())
        self._pulses = [self.street.pulse]
        if self.config.relay:
            self.relays = RelayIntake(
                self.config.relay,
                self.clock,
                self.writer,
                self.intake,
                self.progress,
                self.orders,
                self.releases,
            )
            self._parts.start("relays", self.relays.run(self.stop))
            self._pulses.append(self.relays.pulse)
        pulled = PulledIntake(self.config.store.path, self.clock, self._side_door)
        self._parts.start("drop box", pulled.run())

    def _forward(self) -> None:
        """Begin to hand on what is stored, and to keep the store in order."""
        config = self.config
        around = SinkSurroundings(config.site, config.store.path, lambda: self.registry)
        self.forwarding = Forwarding(self._parts, around, self.writer, self.progress)
        for settings in config.sink:
            self.forwarding.start(settings)
        self.housekeeping = Housekeeping(
            config.store, self.forwarding.names, self.writer, self.progress, Wear()
        )
        self._parts.start("housekeeping", self.housekeeping.run())

    def _keep_registry(self) -> None:
        self.keeper = RegistryKeeper(
            lambda: self.registry,
            self.put_in_force,
            self.clock,
            self._side_door,
            self.orders,
        )
        self._parts.start("registry", self.keeper.run())
        alarm = CampaignAlarm(self.writer, self.clock)
        campaigns = CampaignDriver(self.orders, self.clock, lambda: self.registry.keys, alarm.follow)
        self._parts.start("campaigns", campaigns.run())

    def _watch(self) -> None:
        """Begin to ask whether work gets on."""
        self.liveness = Liveness(self.writer, self._pulses, self.config.stall_after_s)
        self.vitals = Vitals(
            self.street.connection,
            self.writer,
            self.liveness,
            self.forwarding,
            self.config.store.path,
            self.clock,
            lambda: self.registry,
            self._broker,
            self._reloading,
        )
        self._parts.start("liveness", self.liveness.run(self.manager.look_s))
        if self.manager.listens:
            self._parts.start("service manager", self.manager.run(self.vitals))
        self._parts.start("reloading", self._reloading.run())

    def _open_door(self, measures: "Measures") -> None:
        from derb_gateway.http_door import HttpDoor, http_app
        from derb_gateway.metrics import GatewayMetrics

        measures.registry.register(GatewayMetrics(self.vitals))
        assert self._listener is not None
        app = http_app(self.vitals.stalls, self.vitals.obstacles, measures.registry)
        self._door = HttpDoor(self._listener, app)
        self._parts.start("http", self._door.run())

    async def main_loop(self) -> None:
        """Wait for the order to stop, or for a task that ends by itself, which none should."""
        stopping = asyncio.create_task(self.stop.wait(), name="stop")
        failing = asyncio.create_task(self._parts.one_ends(), name="failing")
        await asyncio.wait([stopping, failing], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failing.done() and not self.stop.is_set():
            failing.result()
        failing.cancel()

    async def shutdown(self) -> None:
        """Stop taking, keep what came, hand on what can be handed on in time, let go."""
        self.stop.set()
        self.manager.stopping()
        await self._parts.finish(self.config.stop_deadline_s, "intake", "relays")
        await self.forwarding.drain(self.config.stop_deadline_s)
        if self._door is not None:
            self._door.stop()
            await self._parts.finish(self.config.stop_deadline_s, "http")
        await self._parts.cancel_all()
        with suppress(GatewayError):  # what was written is noted next time
            await self.housekeeping.note_wear()
        self._let_go()
        if self._broker is not None:
            await self._broker.stop()
        log.info("gateway stopped")

    def _let_go(self) -> None:
        self.writer.close()
        self.orders.close()
        self.store.close()

    def put_in_force(self, registry: Registry) -> None:
        """Go by this registry from now on, and let our own broker know its nodes."""
        self.registry = self.intake.registry = registry
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
            self._let_go()
            raise
        self._parts.start("broker", self._broker.run())
        return self._broker.settings
