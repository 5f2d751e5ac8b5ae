"""A reading as the city gets it."""

import json
from dataclasses import replace

from derb_gateway.readings import ALARM, HEALTH, LEVEL, PARKING
from derb_gateway.registry import Registry, Term
from derb_gateway.store import StoredReading
from derb_gateway.upstream import upstream_reading
from gateway.kit import NODE, NOW_MS, OTHER, registry


def stored(kind: int, body: dict[str, object], node: str = NODE, error_ms: int | None = 0) -> StoredReading:
    return StoredReading(7, node, 3, 17, kind, json.dumps(body), NOW_MS - 1000, error_ms, False, NOW_MS, True)


def test_parking() -> None:
    body = {"state": "occupied", "confidence": 95, "previous_state_s": 1320}
    assert upstream_reading(stored(PARKING, body), registry()) == {
        "key": "240ac4a1b2c3:3:17",
        "node": "240ac4a1b2c3",
        "boot": 3,
        "seq": 17,
        "kind": "parking",
        "observed_at": "2026-11-18T11:06:39.000Z",
        "time_quality": "exact",
        "time_error_s": 0,
        "received_at": "2026-11-18T11:06:40.000Z",
        "clock_synchronised": True,
        "bay": "maarif-001",
        "zone": "maarif",
        **body,
    }


def test_level_in_percent_of_its_container() -> None:
    reading = upstream_reading(stored(LEVEL, {"status": "ok", "distance_mm": 812}, OTHER), registry())
    assert (reading["container"], reading["level_pct"], reading["distance_mm"]) == ("c-1", 55.0, 812)


def test_no_distance_or_no_container_is_no_level() -> None:
    nothing = {"status": "no_echo", "distance_mm": None}
    assert upstream_reading(stored(LEVEL, nothing, OTHER), registry())["level_pct"] is None
    nowhere = upstream_reading(stored(LEVEL, {"status": "ok", "distance_mm": 812}, OTHER), Registry())
    assert nowhere["level_pct"] is None
    assert "container" not in nowhere


def test_a_reading_stands_where_its_node_stood_when_it_was_made() -> None:
    body: dict[str, object] = {"state": "free", "confidence": 95, "previous_state_s": 1320}
    made_ms = stored(PARKING, body).observed_ms
    for term, stands in (
        (Term(made_ms, made_ms + 1), True),
        (Term(made_ms + 1), False),
        (Term(0, made_ms), False),
    ):
        known = replace(registry(), terms={NODE: term})
        assert ("bay" in upstream_reading(stored(PARKING, body), known)) is stands


def test_health_and_alarm() -> None:
    health = upstream_reading(stored(HEALTH, {"fields": {"battery_mv": 3600}}), registry())
    assert (health["kind"], health["fields"]) == ("health", {"battery_mv": 3600})
    alarm = upstream_reading(stored(ALARM, {"alarm": "full", "value": 250}), registry())
    assert (alarm["kind"], alarm["alarm"], alarm["value"]) == ("alarm", "full", 250)


def test_how_sure_its_time_is() -> None:
    body: dict[str, object] = {"alarm": "full", "value": 250}
    bounded = upstream_reading(stored(ALARM, body, error_ms=5_500), registry())
    assert (bounded["time_quality"], bounded["time_error_s"]) == ("bounded", 6)
    uncertain = upstream_reading(stored(ALARM, body, error_ms=None), registry())
    assert (uncertain["time_quality"], uncertain["time_error_s"]) == ("uncertain", None)
