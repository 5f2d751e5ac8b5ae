"""What Prometheus is told of the store: its counters, which outlive a restart, and how it stands.

No label has a node's id: a street of thousands would make as many series. A counter that has no metric of its own comes
out as `derb_other_total`, so none is lost.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from derb_gateway.alarms import ALARMS
from derb_gateway.store_figures import StoreFigures

_PLAIN = {
    "frames": ("derb_frames", "Messages that came from nodes"),
    "readings_stored": ("derb_readings_stored", "Readings that were new"),
    "readings_known": ("derb_readings_known", "Readings that came again; each is kept once"),
    "readings_late": ("derb_readings_late", "Readings that came after newer ones of their node"),
    "readings_left_out": ("derb_readings_left_out", "Numbers that frames skipped when they came"),
    "times_refined": ("derb_times_refined", "Readings that were given a surer time"),
    "receipts": ("derb_receipts", "Receipts given"),
    "asks": ("derb_asks", "Messages that ask for a downlink or a piece of firmware"),
    "disk_written_bytes": ("derb_disk_written_bytes", "Bytes written to the disk, noted every 10 minutes"),
}
# By what stands before the label's value in the counter's name.
_LABELLED = {
    "refused.": ("derb_frames_refused", "reason", "Messages that are no good frame"),
    "dropped.": ("derb_frames_dropped", "reason", "Messages that were dropped unseen"),
    "shed.": ("derb_readings_shed", "what", "Readings that went for want of room before each sink had them"),
    "forwarded.": ("derb_sink_forwarded", "sink", "Readings that a sink took"),
    "refused_by.": ("derb_sink_refused", "sink", "Readings that a sink refused for good"),
    "refused_shed.": ("derb_sink_refused_shed", "sink", "Refused readings that are no longer kept"),
    "relay.": ("derb_relays", "what", "What is counted of all relays together"),
}


def store_metrics(figures: StoreFigures, now_ms: int) -> Iterator[Metric]:
    """Yield each family, also one that has nothing to say yet."""
    yield from _counters(figures.counters)
    yield from _sinks(figures, now_ms)
    yield from _nodes(figures, now_ms)
    yield _family("derb_relay", "What a relay says of itself", ("relay", "what"), _relay_samples(figures))
    kept = {(reason,): number for reason, number in figures.quarantine.items()}
    yield _family("derb_quarantine_messages", "Refused messages that are kept", ("reason",), kept)
    alarms = {(name,): name in figures.alarms for name in {*ALARMS, *figures.alarms}}
    yield _family("derb_alarm", "1: raised, and nobody has cleared it yet", ("alarm",), alarms)
    room = {("used",): figures.used_bytes, ("file",): figures.file_bytes, ("free",): figures.free_bytes}
    yield _family("derb_store_bytes", "Of the store's file and log, and free on its disk", ("what",), room)


def _counters(counters: dict[str, int]) -> Iterator[Metric]:
    left = {name: value for name, value in counters.items() if name.count(".") < 2 or name[:6] != "relay."}
    for name, (metric, told) in _PLAIN.items():
        yield CounterMetricFamily(metric, told, value=left.pop(name, 0))
    for prefix, (metric, label, told) in _LABELLED.items():
        family = CounterMetricFamily(metric, told, labels=[label])
        for name in [name for name in left if name.startswith(prefix)]:
            family.add_metric([name.removeprefix(prefix)], left.pop(name))
        yield family
    other = CounterMetricFamily("derb_other", "Counters that have no metric of their own", labels=["name"])
    for name, value in left.items():
        other.add_metric([name], value)
    yield other


def _sinks(figures: StoreFigures, now_ms: int) -> Iterator[Metric]:
    sinks = figures.sinks.items()
    behind = {(name,): sink.behind for name, sink in sinks}
    ages = {
        (name,): 0.0 if sink.oldest_received_ms is None else max(0, now_ms - sink.oldest_received_ms) / 1000
        for name, sink in sinks
    }
    put_aside = {(name,): sink.put_aside for name, sink in sinks}
    yield _family("derb_sink_backlog_readings", "Readings that the sink has not had yet", ("sink",), behind)
    yield _family("derb_sink_oldest_seconds", "Since the oldest of them came; 0: none", ("sink",), ages)
    yield _family("derb_sink_put_aside_readings", "Readings that the sink refused", ("sink",), put_aside)


def _nodes(figures: StoreFigures, now_ms: int) -> Iterator[Metric]:
    silent_s = max(0, now_ms - figures.last_heard_ms) / 1000 if figures.last_heard_ms else 0.0
    nodes = {("ever",): figures.nodes_heard, ("last_day",): figures.nodes_heard_lately}
    yield _family("derb_nodes_heard", "Nodes that were heard", ("when",), nodes)
    yield _family("derb_nodes_waiting", "Unknown nodes in the waiting room", (), {(): figures.nodes_waiting})
    yield _family("derb_street_silent_seconds", "Since any node was heard; 0: none ever", (), {(): silent_s})


def _relay_samples(figures: StoreFigures) -> dict[tuple[str, ...], float]:
    """Return relay.<name>.<what>: gauges, since a relay that starts anew counts anew. A name may have dots."""
    said = [name for name in figures.counters if name.startswith("relay.") and name.count(".") >= 2]
    return {tuple(name.removeprefix("relay.").rsplit(".", 1)): figures.counters[name] for name in said}


def _family(name: str, told: str, labels: tuple[str, ...], samples: Mapping[Any, float]) -> Metric:
    """`samples`: by the labels' values."""
    family = GaugeMetricFamily(name, told, labels=labels)
    for values, number in samples.items():
        family.add_metric(values, number)
    return family
