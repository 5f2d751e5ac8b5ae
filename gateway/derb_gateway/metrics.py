"""What Prometheus is told of the gateway: how the process fares now, and what its store says (`store_metrics`)."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from derb_gateway.errors import StoreError
from derb_gateway.store_metrics import store_metrics
from derb_gateway.vitals import GatewayNow, Vitals


class GatewayMetrics(Collector):
    """All metrics but the histograms, looked up when somebody asks, in any thread."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        """Yield each family; where the store cannot be read, those of the process alone."""
        yield from _process_metrics(self._vitals.now())
        readable = GaugeMetricFamily("derb_store_readable", "1: the store could be read for these metrics")
        try:
            found = list(store_metrics(self._vitals.figures(), self._vitals.wall_ms()))
        except StoreError:
            found = []
        readable.add_metric([], bool(found))
        yield readable
        yield from found


def _process_metrics(now: GatewayNow) -> Iterator[Metric]:
    yield _gauge("derb_ready", "1: readings can be taken now", now.is_ready)
    yield _gauge("derb_alive", "1: the gateway gets on with its work", now.is_alive)
    yield _gauge("derb_broker_connected", "1: connected to the street's broker", now.is_connected)
    yield _gauge("derb_disk_refusing", "1: the disk took nothing the last time", now.disk_refuses)
    yield _gauge("derb_clock_synchronised", "1: the wall clock can be believed", now.clock_synchronised)
    yield _gauge("derb_probe_seconds", "How long the last way through the writer and back took", now.probe_s)
    yield _gauge("derb_nodes_registered", "Nodes in the registry", now.nodes_registered)
    yield _counter("derb_broker_connections_lost", "Connections that ended", now.connections_lost)
    yield _counter("derb_broker_restarts", "How often our own broker was started again", now.broker_restarts)
    yield _counter(
        "derb_reloads_failed", "Reloads (SIGHUP) of which something was not taken", now.reloads_failed
    )
    up = GaugeMetricFamily("derb_sink_up", "1: the sink took readings the last time", labels=["sink"])
    retries = CounterMetricFamily("derb_sink_retries", "Attempts that failed", labels=["sink"])
    for sink in now.sinks:
        up.add_metric([sink.name], sink.is_up)
        retries.add_metric([sink.name], sink.retries)
    yield from (up, retries)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(name, told, value=value)
