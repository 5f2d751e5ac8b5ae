"""A batch in ThingsBoard's gateway API: a device is a bay, a container, or a node without a place. Pure.

https://thingsboard.io/docs/reference/gateway-mqtt-api: a value of one device, key and time that comes again is the same
value again, so repeats cost nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

CONNECT, ATTRIBUTES, TELEMETRY = "v1/gateway/connect", "v1/gateway/attributes", "v1/gateway/telemetry"

Message = tuple[str, bytes]
_TYPES = (("bay", "parking bay"), ("container", "waste container"))


def device_name(reading: Mapping[str, Any]) -> str:
    """Return what the platform knows the reading's device by."""
    return str(reading.get("bay") or reading.get("container") or reading["node"])


def introductions(readings: Iterable[Mapping[str, Any]], known: set[str]) -> Iterator[Message]:
    """Yield what must come before the first telemetry of a device on a connection; `known` is added to."""
    for reading in readings:
        name = device_name(reading)
        if name not in known:
            known.add(name)
            kind = next((word for place, word in _TYPES if place in reading), "node")
            yield _message(CONNECT, {"device": name, "type": kind})
            node = None if reading["kind"] == "place" else reading["node"]
            attributes = {"node": node, "zone": reading.get("zone")}
            yield _message(
                ATTRIBUTES, {name: {key: value for key, value in attributes.items() if value is not None}}
            )


def telemetry(readings: Iterable[Mapping[str, Any]]) -> Message:
    """Return all values of a batch as one message."""
    devices: dict[str, list[dict[str, Any]]] = {}
    for reading in readings:
        at_ms = round(datetime.fromisoformat(reading["observed_at"]).timestamp() * 1000)
        devices.setdefault(device_name(reading), []).append({"ts": at_ms, "values": _values(reading)})
    return _message(TELEMETRY, devices)


def _values(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat values, since the platform keeps nothing else; null is left out, since it is no value there."""
    kind = reading["kind"]
    if kind == "parking":
        values = {name: reading[name] for name in ("state", "confidence", "previous_state_s")}
        values["occupied"] = {"occupied": True, "free": False}.get(reading["state"])
        values["sensed_state"] = reading.get("sensed_state")
    elif kind == "place":
        values = {name: reading[name] for name in ("state", "why")}
    elif kind == "level":
        values = {"level_status": reading["status"], "distance_mm": reading["distance_mm"]}
        values["level_pct"] = reading.get("level_pct")
    elif kind == "health":
        values = dict(reading["fields"])
    elif kind == "alarm":
        values = {"alarm": reading["alarm"], f"alarm_{reading['alarm']}": reading["value"]}
    else:
        values = {"command": reading["command"], "command_result": reading["result"]}
    values["time_quality"] = reading["time_quality"]
    return {name: value for name, value in values.items() if value is not None}


def _message(topic: str, content: object) -> Message:
    return topic, json.dumps(content, separators=(",", ":")).encode()
