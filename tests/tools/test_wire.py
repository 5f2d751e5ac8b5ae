"""An uplink as a simulated node writes it: byte for byte what the firmware writes."""

import json
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.frame import decode_uplink
from derb_gateway.readings import PARKING, Parking, Reading, Uplink
from derb_tools.wire import encode_uplink

VECTORS = [
    vector
    for vector in json.loads((Path(__file__).parent.parent / "vectors" / "frames.json").read_text())
    if vector["direction"] == "up" and "decoded" in vector
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_what_a_vector_says_comes_back_the_same(vector: dict[str, Any]) -> None:
    node, key, raw = vector["node"], bytes.fromhex(vector["key"]), bytes.fromhex(vector["frame"])
    uplink = decode_uplink(node, key, raw)
    assert decode_uplink(node, key, encode_uplink(node, key, uplink)) == uplink


def test_the_first_parking_event_byte_for_byte() -> None:
    vector = next(v for v in VECTORS if v["name"] == "first parking event")
    uplink = Uplink(PARKING, 1, False, (Reading(0, 0, Parking("occupied", 100, None)),))
    assert encode_uplink(vector["node"], bytes.fromhex(vector["key"]), uplink).hex() == vector["frame"]


def test_a_frame_that_does_not_fit_is_not_written() -> None:
    readings = tuple(Reading(200 - i, i, Parking("free", 0, 0)) for i in range(100))
    with pytest.raises(ValueError, match="240"):
        encode_uplink("240ac4a1b2c3", bytes(32), Uplink(PARKING, 1, False, readings))
