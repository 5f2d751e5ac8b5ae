"""A stored reading as the city gets it: one JSON object, the same for all sinks of JSON."""

import json
from typing import Any

from derb_gateway import times
from derb_gateway.clock import iso_utc
from derb_gateway.place_reports import CLOSED
from derb_gateway.readings import KIND_NAMES, PARKING, PLACE
from derb_gateway.registry import Registry
from derb_gateway.store import StoredReading

COLUMNS = (
    *("key", "node", "boot", "seq", "kind", "observed_at", "time_quality", "time_error_s", "received_at"),
    *("clock_synchronised", "bay", "container", "zone", "closed", "why"),
    *("state", "sensed_state", "confidence", "previous_state_s", "status"),
    *("distance_mm", "level_pct", "alarm", "value", "command", "result", "fields"),
)
"""Every field of every kind, where readings of all kinds stand in one table."""


def reading_key(reading: StoredReading) -> str:
    """Return what tells this reading from all others, for ever."""
    return f"{reading.node}:{reading.boot}:{reading.seq}"


def upstream_reading(reading: StoredReading, registry: Registry) -> dict[str, Any]:
    """Return a reading with its place and, for a container, its level as the registry has them now."""
    body = json.loads(reading.body)
    return {
        "key": reading_key(reading),
        "node": reading.node,
        "boot": reading.boot,
        "seq": reading.seq,
        "kind": KIND_NAMES[reading.kind],
        "observed_at": iso_utc(reading.observed_ms),
        "time_quality": times.quality(reading.error_ms),
        "time_error_s": times.error_s(reading.error_ms),
        "received_at": iso_utc(reading.received_ms),
        "clock_synchronised": bool(reading.synchronised),
        **_place(reading, registry),
        **body,
        **_level(reading, body, registry),
        **_closed(reading, body, registry),
    }


def _place(reading: StoredReading, registry: Registry) -> dict[str, str]:
    """Return where the node stood when it made the reading."""
    if bay := registry.bay_of(reading.node, reading.observed_ms):
        return {"bay": bay.id, "zone": bay.zone}
    if container := registry.container_of(reading.node, reading.observed_ms):
        return {"container": container.id, "zone": container.zone}
    return {}


def _level(reading: StoredReading, body: dict[str, Any], registry: Registry) -> dict[str, float | None]:
    if "distance_mm" not in body:
        return {}
    container, distance_mm = registry.container_of(reading.node, reading.observed_ms), body["distance_mm"]
    known = container is not None and distance_mm is not None
    return {"level_pct": container.level_pct(distance_mm) if known and container else None}


def _closed(reading: StoredReading, body: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """Say that the place was closed when the reading was made; what a bay's node saw is kept under another name."""
    if not registry.closures.rules or reading.kind == PLACE:
        return {}
    for kind, place in _place(reading, registry).items():
        if (closed := registry.closures.at((kind, place), reading.observed_ms)) is not None:
            seen = {"state": CLOSED, "sensed_state": body["state"]} if reading.kind == PARKING else {}
            return {"closed": True, **seen, "why": closed.why or None}
    return {}
