"""Uplinks: the golden vectors, and every way in which a frame can be wrong."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.frame import (
    SEQUENCE_MAX,
    BadTopic,
    FrameError,
    check_head,
    decode_uplink,
    node_of_topic,
    tag,
)
from derb_gateway.readings import HEALTH, LEVEL, PARKING, Health, Level, Parking, Reading, Uplink
from derb_tools.wire import encode_uplink
from gateway.kit import KEY, NODE, OTHER, OTHER_KEY, frame
from hypothesis import given
from hypothesis import strategies as st

VECTORS = [
    vector
    for vector in json.loads((Path(__file__).parent.parent / "vectors" / "frames.json").read_text())
    if vector["direction"] == "up"
]


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 20


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vectors(vector: dict[str, Any]) -> None:
    node, key, raw = vector["node"], bytes.fromhex(vector["key"]), bytes.fromhex(vector["frame"])
    if "refused" in vector:
        with pytest.raises(FrameError) as refused:
            decode_uplink(node, key, raw)
        assert refused.value.reason == vector["refused"]
    else:
        assert decode_uplink(node, key, raw).to_json() == vector["decoded"]


def signed(untagged: str) -> bytes:
    body = bytes.fromhex(untagged)
    return body + tag(b"derb1u", NODE, KEY, body)


def reason(raw: bytes, node: str = NODE, key: bytes | None = KEY) -> str:
    with pytest.raises(FrameError) as refused:
        decode_uplink(node, key, raw)
    return refused.value.reason


@pytest.mark.parametrize(
    "topic", ["d/240AC4A1B2C3/u", "d/240ac4a1b2c3/d", "d/240ac4a1b2c/u", "d/240ac4a1b2c3/u\n", ""]
)
def test_a_topic_must_be_exact(topic: str) -> None:
    with pytest.raises(BadTopic):
        node_of_topic(topic)


def test_length_and_version_come_before_the_key() -> None:
    assert reason(b"\x21" * 241, key=None) == "too_long"
    assert reason(b"\x21" * 12, key=None) == "too_short"
    assert reason(b"\x41" * 20, key=None) == "bad_version"
    assert reason(b"\x21" * 20, key=None) == "unknown_node"


def test_a_cut_payload_is_judged_by_its_whole_length() -> None:
    with pytest.raises(FrameError, match="1000000 bytes"):
        check_head(b"x" * 512, 1_000_000)


def test_a_tag_is_for_one_node_one_key_and_one_frame() -> None:
    good = frame(3)
    assert reason(good, node=OTHER) == "bad_tag"
    assert reason(good, key=OTHER_KEY) == "bad_tag"
    for i in range(1, len(good)):
        assert reason(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :]) == "bad_tag"


MALFORMED = {
    "a downlink's kind": "2001000040000000",
    "a reserved kind": "2501000040000000",
    "the last kind": "2f01000040000000",
    "boot 0": "210000004000",
    "boot not in its shortest form": "21810000004000",
    "parking state 3": "21010000c000",
    "a gap without a record": "2101050040000a",
    "half a parking record": "2101050040000a40",
    "more readings than sequence numbers": "2101000040000a4000",
    "a first level record with a difference": "22010500e823",
    "a distance that does not exist": "22010500fa1f",
    "an interval without a record": "22010500e80300",
    "half a level record": "22010500e803000a",
    "a level record newer than the one before": "22010500e80300e823",
    "a level difference that is cut off": "22010500e8030ae8e3",
    "health fields that do not rise": "230100000302030200",
    "a health field twice": "230100000102010200",
    "a health field without a value": "230100000101020203",
    "an alarm without a value": "2401000001",
    "a value that is cut off": "240100000180",
}


@pytest.mark.parametrize("untagged", MALFORMED.values(), ids=MALFORMED.keys())
def test_contents_that_the_page_does_not_allow(untagged: str) -> None:
    assert reason(signed(untagged)) == "malformed"


def test_no_body_is_too_short_a_frame() -> None:
    assert reason(signed("21010000")) == "too_short"


BODIES = {
    PARKING: st.builds(
        Parking,
        st.sampled_from(["unknown", "free", "occupied"]),
        st.integers(0, 63).map(lambda c: (100 * c + 31) // 63),
        st.one_of(st.none(), st.integers(0, 31)),
    ),
    LEVEL: st.one_of(
        st.builds(Level, st.just("ok"), st.integers(0, 8185)),
        st.builds(Level, st.sampled_from(["unstable", "too_close", "too_far", "no_echo"]), st.none()),
    ),
}


@st.composite
def uplinks(draw: st.DrawFn) -> Uplink:
    kind = draw(st.sampled_from([PARKING, LEVEL]))
    bodies = draw(st.lists(BODIES[kind], min_size=1, max_size=20))
    sequence = draw(st.integers(len(bodies) - 1, SEQUENCE_MAX))
    age_s = draw(st.integers(0, 2**20))
    readings = []
    for i, body in enumerate(bodies):
        readings.append(Reading(sequence - i, age_s, body))
        age_s += draw(st.integers(0, 5000))
    return Uplink(kind, draw(st.integers(1, 2**32 - 1)), draw(st.booleans()), tuple(readings))


@given(uplinks())
def test_what_a_node_encodes_the_gateway_decodes(uplink: Uplink) -> None:
    assert decode_uplink(NODE, KEY, encode_uplink(NODE, KEY, uplink)) == uplink


@given(
    st.dictionaries(
        st.integers(34, 2**32 - 1).map(str), st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=10
    )
)
def test_unknown_health_fields_are_kept_under_their_number(fields: dict[str, int]) -> None:
    rising = tuple(sorted(fields.items(), key=lambda field: int(field[0])))
    uplink = Uplink(HEALTH, 1, False, (Reading(4, 0, Health(rising)),))
    assert decode_uplink(NODE, KEY, encode_uplink(NODE, KEY, uplink)) == uplink


@given(st.binary(max_size=300))
def test_random_content_with_a_right_tag_never_crashes(body: bytes) -> None:
    raw = body + tag(b"derb1u", NODE, KEY, body)
    with contextlib.suppress(FrameError):
        decode_uplink(NODE, KEY, raw)
