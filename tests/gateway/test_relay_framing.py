"""The gateway's half of a relay's line: golden vectors, and whatever else a cable may deliver."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from derb_gateway import relay_messages as messages
from derb_gateway.relay_framing import Splitter, decode, encode
from derb_gateway.relay_messages import (
    COUNTERS,
    Done,
    RelayMessageError,
    RelayUplink,
    Result,
    SelfDescription,
)
from hypothesis import given
from hypothesis import strategies as st

SEED = 20_261_128
ROUNDS = 20_000
VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "relay.json").read_text()
)
NODE = "240ac4a1b2c3"


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def meaning(message: SelfDescription | RelayUplink | Done) -> dict[str, Any]:
    """A message in the words of the vectors."""
    if isinstance(message, SelfDescription):
        return {
            "message": "self",
            "relay": message.relay,
            "start": message.start,
            "uptime_s": message.uptime_s,
            "firmware_version": message.firmware_version,
            "channel": message.channel,
            "room_bytes": message.room_bytes,
            "chip": message.chip,
            "counters": list(message.counters.values()),
        }
    if isinstance(message, Done):
        return {"message": "done", "number": message.number, "result": int(message.result)}
    return {
        "message": "uplink",
        "number": message.number,
        "held_ms": message.held_ms,
        "rssi_dbm": message.rssi_dbm,
        "node": message.node,
        "packet": message.packet.hex(),
    }


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 40
    assert {vector["direction"] for vector in VECTORS} == {"to_gateway", "to_relay"}


@pytest.mark.parametrize("vector", VECTORS, ids=named)
def test_the_line_is_split_as_written(vector: dict[str, Any]) -> None:
    splitter = Splitter()
    found = [content.hex() for content in splitter.feed(bytes.fromhex(vector["line"]))]
    assert found == ([] if vector["content"] is None else [vector["content"]])
    assert splitter.bad == (vector["content"] is None)
    if vector["content"]:
        assert encode(bytes.fromhex(vector["content"])).hex() == vector["line"]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["direction"] == "to_gateway" and v["content"]], ids=named
)
def test_what_a_relay_says_is_understood_or_refused(vector: dict[str, Any]) -> None:
    content = bytes.fromhex(vector["content"])
    if vector["meaning"] is None:
        with pytest.raises(RelayMessageError):
            messages.read(content)
    else:
        assert meaning(messages.read(content)) == vector["meaning"]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["direction"] == "to_relay" and v["meaning"]], ids=named
)
def test_what_the_gateway_says_is_written_byte_for_byte(vector: dict[str, Any]) -> None:
    said = dict(vector["meaning"])
    match said.pop("message"):
        case "ask":
            content = messages.ask(said["channel"] or None)
        case "downlink":
            content = messages.downlink(
                said["number"], said["node"], bytes.fromhex(said["frame"]), said["hold_s"]
            )
        case _:
            content = messages.taken(said["numbers"])
    assert content.hex() == vector["content"]


def test_counters_have_names_for_all_that_the_relay_counts() -> None:
    newest = next(v for v in VECTORS if v["name"] == "self-description")
    assert len(newest["meaning"]["counters"]) == len(COUNTERS)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_content_comes_back_in_any_pieces(content: bytes, data: st.DataObject) -> None:
    coded = encode(content)
    assert 0 not in coded[1:-1]
    assert decode(coded[1:-1]) == content
    cut = data.draw(st.integers(0, len(coded)))
    splitter = Splitter()
    assert splitter.feed(coded[:cut]) + splitter.feed(coded[cut:]) == [content]


def test_damage_of_every_kind_is_dropped_and_the_next_frame_is_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chance, whole = random.Random(SEED), encode(bytes([3, 1, 0]))
    splitter, kinds = Splitter(), 4
    for round_ in range(ROUNDS):
        content = messages.downlink(chance.randrange(256), NODE, chance.randbytes(chance.randrange(13, 240)))
        coded = bytearray(encode(content))
        at = chance.randrange(1, len(coded) - 1)
        match round_ % kinds:
            case 0:
                coded[at] ^= 1 << chance.randrange(8)
            case 1:
                del coded[at:]
            case 2:
                coded[at:at] = chance.randbytes(chance.randrange(1, 400))
            case _:
                coded = bytearray(chance.randbytes(chance.randrange(700)))
        found = splitter.feed(bytes(coded)) + splitter.feed(whole)
        assert found[-1] == bytes([3, 1, 0])
        assert [each for each in found if each not in (content, bytes([3, 1, 0]))] == []
    with capsys.disabled():
        print(f"\n{ROUNDS} damaged frames on the gateway's side, seed {SEED}: none taken for a good one")


def test_garbage_as_content_is_refused_by_name() -> None:
    chance = random.Random(SEED)
    refused = 0
    for _ in range(ROUNDS):
        kind = chance.choice([1, 2, 3, chance.randrange(256)])
        try:
            messages.read(bytes([kind]) + chance.randbytes(chance.randrange(270)))
        except RelayMessageError:
            refused += 1
    assert 0 < refused < ROUNDS


def test_an_endless_stream_without_a_zero_takes_no_memory() -> None:
    splitter = Splitter()
    for _ in range(1000):
        assert splitter.feed(b"\x55" * 1000) == []
        assert len(splitter._coded) <= 2000
    assert splitter.feed(b"\0" + encode(b"\x03\x01\x00")) == [b"\x03\x01\x00"]


def test_what_a_board_prints_between_frames_is_kept_for_people() -> None:
    splitter = Splitter()
    splitter.feed(b"\0Traceback (most recent call last):\r\n  OSError: 5\r\n\0" + encode(b"\x03\x01\x00"))
    assert splitter.text.endswith("OSError: 5")
    splitter.feed(b"\0\xff\xfe\x01\0")
    assert splitter.text.endswith("OSError: 5")


@pytest.mark.parametrize("channel", [0, 14, 255])
def test_no_other_channel_is_asked_for(channel: int) -> None:
    with pytest.raises(ValueError, match="no channel"):
        messages.ask(channel)


def test_no_frame_longer_than_a_frame_is_sent() -> None:
    with pytest.raises(ValueError, match="241 bytes"):
        messages.downlink(1, NODE, bytes(241))


def test_results_are_those_of_the_protocol() -> None:
    assert [int(result) for result in Result] == [0, 1, 2, 3, 4]
