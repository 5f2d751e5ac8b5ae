"""Downlinks: the golden vectors, and what does not fit."""

import json
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.downlink import Range, downlink_topic, encode_downlink
from derb_tools.downlink import decode_downlink
from gateway.kit import KEY, NODE

VECTORS = [
    vector
    for vector in json.loads((Path(__file__).parent.parent / "vectors" / "frames.json").read_text())
    if vector["direction"] == "down" and "decoded" in vector
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vectors(vector: dict[str, Any]) -> None:
    decoded = vector["decoded"]
    sections = [
        (section["type"], bytes.fromhex(section["hex"])) for section in map(as_section, decoded["sections"])
    ]
    encoded = encode_downlink(
        vector["node"],
        bytes.fromhex(vector["key"]),
        time_s=decoded["unix_s"],
        synchronised=decoded["synchronised"],
        config_version=decoded["config_version"],
        ranges=[Range(*each) for each in decoded["ranges"]],
        sections=sections,
    )
    assert encoded.hex() == vector["frame"]


def as_section(section: Any) -> dict[str, Any]:
    return section if isinstance(section, dict) else {"type": section[0], "hex": section[1]}


def test_the_largest_receipt_fits() -> None:
    ranges = [Range(2**32 - 1 - i, 0, 2**32 - 1) for i in range(8)]
    frame = encode_downlink(NODE, KEY, time_s=2**32 - 1, synchronised=True, ranges=ranges)
    assert len(frame) <= 240
    assert decode_downlink(NODE, KEY, frame).ranges == tuple(ranges)


def test_nine_ranges_do_not() -> None:
    with pytest.raises(ValueError, match="9 ranges"):
        encode_downlink(NODE, KEY, time_s=0, synchronised=True, ranges=[Range(1, 0, 0)] * 9)


def test_a_section_too_much_does_not_fit_either() -> None:
    with pytest.raises(ValueError, match="240"):
        encode_downlink(NODE, KEY, time_s=0, synchronised=True, ranges=[], sections=[(1, bytes(250))])


def test_the_topic() -> None:
    assert downlink_topic(NODE) == "d/240ac4a1b2c3/d"
