"""How the gateway fares, in one place: for the HTTP door, the watchdog and the service manager."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from derb_gateway.broker import BrokerProcess
from derb_gateway.clock import Clock
from derb_gateway.forwarding import Forwarding
from derb_gateway.liveness import Liveness
from derb_gateway.readiness import obstacles
from derb_gateway.reconnect import Reconnect, State
from derb_gateway.registry import Registry
from derb_gateway.reloading import Reloading
from derb_gateway.store_figures import StoreFigures, store_figures
from derb_gateway.writer import Writer


class SinkNow(NamedTuple):
    """Whether a sink took something the last time, and how many attempts failed since the start."""

    name: str
    is_up: bool
    retries: int


class GatewayNow(NamedTuple):
    """What is known in memory."""

    is_ready: bool
    is_alive: bool
    is_connected: bool
    disk_refuses: bool
    clock_synchronised: bool
    connections_lost: int
    broker_restarts: int
    reloads_failed: int
    probe_s: float
    nodes_registered: int
    sinks: Sequence[SinkNow]


@dataclass(frozen=True)
class Vitals:
    """The parts that tell. Every method may be called in any thread."""

    connection: Reconnect
    writer: Writer
    liveness: Liveness
    forwarding: Forwarding
    store: Path
    clock: Clock
    registry: Callable[[], Registry]
    broker: BrokerProcess | None
    reloading: Reloading

    def stalls(self) -> list[str]:
        """Return what does not get on; nothing if all does."""
        return self.liveness.stalls()

    def obstacles(self) -> list[str]:
        """Return why readings cannot be taken just now; nothing if they can."""
        return obstacles(self.connection, self.writer, self.liveness, self.store)

    def figures(self) -> StoreFigures:
        """Return what the store says; StoreError."""
        return store_figures(self.store, self.forwarding.names(), self.wall_ms())

    def wall_ms(self) -> int:
        """Return the wall clock in Unix milliseconds."""
        return self.clock.wall_ms()

    def now(self) -> GatewayNow:
        """Return what is known in memory."""
        return GatewayNow(
            is_ready=not self.obstacles(),
            is_alive=not self.stalls(),
            is_connected=self.connection.state is State.UP,
            disk_refuses=self.writer.refusing is not None,
            clock_synchronised=self.clock.synchronised(),
            connections_lost=self.connection.failures,
            broker_restarts=self.broker.restarts if self.broker is not None else 0,
            reloads_failed=self.reloading.failed,
            probe_s=self.liveness.probe_s,
            nodes_registered=len(self.registry().keys),
            sinks=[SinkNow(f.name, f.healthy, f.retries) for f in self.forwarding.forwarders()],
        )
