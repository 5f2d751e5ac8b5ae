"""What ThingsBoard is told of a place that is closed."""

import json
from typing import Any

from derb_gateway.sinks.thingsboard import introductions, telemetry
from gateway.kit import NODE

SAID = {
    "key": "bay:b1:1:1795000000",
    "node": "bay:b1",
    "kind": "place",
    "observed_at": "2026-11-18T11:06:40.000Z",
    "time_quality": "exact",
    "bay": "b1",
    "zone": "maarif",
    "state": "closed",
    "why": "works",
}
SENSED = {
    **SAID,
    "node": NODE,
    "kind": "parking",
    "sensed_state": "occupied",
    "confidence": 95,
    "previous_state_s": None,
}


def values(reading: dict[str, Any]) -> dict[str, Any]:
    ((told,),) = json.loads(telemetry([reading])[1]).values()
    found: dict[str, Any] = told["values"]
    return found


def test_the_bay_is_closed_and_neither_occupied_nor_free() -> None:
    assert values(SAID) == {"state": "closed", "why": "works", "time_quality": "exact"}
    closed = {"state": "closed", "sensed_state": "occupied", "confidence": 95, "time_quality": "exact"}
    assert values(SENSED) == closed


def test_the_gateways_own_word_is_no_node() -> None:
    said = [json.loads(payload) for _, payload in introductions([SAID], set())]
    assert said == [{"device": "b1", "type": "parking bay"}, {"b1": {"zone": "maarif"}}]
