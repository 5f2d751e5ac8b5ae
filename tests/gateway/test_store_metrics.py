"""Every counter of the store comes out, under a name that says what it is; how sinks and nodes stand is true."""

import logging
from pathlib import Path

import pytest
from derb_gateway import alarms
from derb_gateway.sinks.lanes import Lanes, Stretch, save_lanes
from derb_gateway.store_figures import SinkFigures, store_figures
from derb_gateway.store_metrics import store_metrics
from gateway.kit import NODE, NOW_MS, STRANGER, Disk, arrival, frame
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector


class Once(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:  # type: ignore[override]
        return self.families


def exposed(disk: Disk, sinks: list[str], now_ms: int = NOW_MS) -> dict[str, float]:
    """Each sample as Prometheus reads it: name and labels, and its value."""
    registry = CollectorRegistry()
    registry.register(Once(list(store_metrics(store_figures(disk.path, sinks, now_ms), now_ms))))
    lines = generate_latest(registry).decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    logging.disable()
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0, 1)), arrival(frame(1)), arrival(b"x"), arrival(frame(0), node=STRANGER))
    logging.disable(logging.NOTSET)
    return disk


def test_counters_come_out_by_name_and_none_is_lost(disk: Disk) -> None:
    disk.store.count({"forwarded.a.b": 2, "shed.level": 3, "relay.copies": 4, "relay.north.up": 5, "new": 6})
    seen = exposed(disk, [])
    disk.store.close()
    assert seen["derb_frames_total"] == 4
    assert seen["derb_readings_stored_total"] == 2
    assert seen["derb_readings_known_total"] == 1
    assert seen["derb_receipts_total"] == 1
    assert seen['derb_frames_refused_total{reason="unknown_node"}'] == 1
    assert seen['derb_sink_forwarded_total{sink="a.b"}'] == 2
    assert seen['derb_readings_shed_total{what="level"}'] == 3
    assert seen['derb_relays_total{what="copies"}'] == 4
    assert seen['derb_relay{relay="north",what="up"}'] == 5
    assert {name: value for name, value in seen.items() if name.startswith("derb_other")} == {
        'derb_other_total{name="new"}': 6
    }


def test_a_sink_has_its_backlog_and_the_age_of_its_oldest_reading(disk: Disk) -> None:
    disk.store.save_cursor("city", disk.store.last_id() - 1, None)
    disk.store.save_cursor("files", disk.store.last_id(), None)
    seen = exposed(disk, ["city", "files", "new"], NOW_MS + 90_000)
    disk.store.close()
    behind = {name: seen[f'derb_sink_backlog_readings{{sink="{name}"}}'] for name in ("city", "files", "new")}
    assert behind == {"city": 1, "files": 0, "new": 2}
    assert seen['derb_sink_oldest_seconds{sink="city"}'] == 90
    assert seen['derb_sink_oldest_seconds{sink="files"}'] == 0


def test_what_the_live_lane_delivered_is_no_backlog(disk: Disk) -> None:
    disk.take(*(arrival(frame(n)) for n in range(2, 10)))
    top = disk.store.last_id()
    save_lanes(disk.store, "city", Lanes(top - 8, (Stretch(top - 3, top - 1),)), None)
    found = store_figures(disk.path, ["city"], NOW_MS)
    disk.store.close()
    assert found.sinks == {"city": SinkFigures(8 - 2, NOW_MS, 0)}


def test_nodes_are_counted_and_never_named(disk: Disk) -> None:
    seen = exposed(disk, [], NOW_MS + 90_000_000)
    disk.store.close()
    assert seen['derb_nodes_heard{when="ever"}'] == 1
    assert seen['derb_nodes_heard{when="last_day"}'] == 0
    assert seen["derb_nodes_waiting"] == 1
    assert seen["derb_street_silent_seconds"] == 90_000
    assert not [name for name in seen if NODE in name or STRANGER in name]


def test_each_known_alarm_is_there_raised_or_not(disk: Disk) -> None:
    alarms.raise_alarm(disk.store.db, alarms.DISK_REFUSED, "full", NOW_MS)
    alarms.raise_alarm(disk.store.db, "a_new_one", "", NOW_MS)
    seen = exposed(disk, [])
    disk.store.close()
    raised = {name: seen[f'derb_alarm{{alarm="{name}"}}'] for name in (*alarms.ALARMS, "a_new_one")}
    assert [name for name, value in raised.items() if value] == [alarms.DISK_REFUSED, "a_new_one"]


def test_room_is_told(disk: Disk) -> None:
    seen = exposed(disk, [])
    disk.store.close()
    assert 0 < seen['derb_store_bytes{what="used"}'] <= seen['derb_store_bytes{what="file"}']
    assert seen['derb_store_bytes{what="free"}'] > 0
