"""Sections 1 and 2 of a downlink, asks and chunks, as the vectors from an independent reading of the page have them."""

import json
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.asks import Ask, decode_ask, encode_chunk, is_ask
from derb_gateway.commands import Command, encode_command
from derb_gateway.frame import FrameError
from derb_gateway.node_settings import decode_config, encode_config

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "orders.json").read_text("utf-8")
)


def vectors(which: str, *, good: bool, section: int | None = None) -> list[Any]:
    found = [
        vector
        for vector in VECTORS
        if which in vector and ("refused" not in vector) is good and vector.get("section") == section
    ]
    return [pytest.param(vector, id=vector["name"]) for vector in found]


@pytest.mark.parametrize("vector", vectors("section", good=True, section=1))
def test_a_configuration_is_encoded_byte_for_byte(vector: dict[str, Any]) -> None:
    assert encode_config(vector["version"], vector["settings"]).hex() == vector["body"]
    assert decode_config(bytes.fromhex(vector["body"])) == (vector["version"], vector["settings"])


@pytest.mark.parametrize("vector", vectors("section", good=True, section=2))
def test_a_command_is_encoded_byte_for_byte(vector: dict[str, Any]) -> None:
    command = Command(
        vector["id"], vector["command"], vector["argument"], vector["deadline_s"] * 1000, asked_ms=0
    )
    assert encode_command(command).hex() == vector["body"]


@pytest.mark.parametrize("vector", vectors("ask", good=True))
def test_an_ask_is_read(vector: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["ask"])
    assert is_ask(frame)
    wanted = Ask(vector["version"], vector["file"], vector["offset"], vector["count"])
    assert decode_ask(vector["node"], bytes.fromhex(vector["key"]), frame) == wanted


@pytest.mark.parametrize("vector", vectors("ask", good=False))
def test_a_bad_ask_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        decode_ask(vector["node"], bytes.fromhex(vector["key"]), bytes.fromhex(vector["ask"]))


@pytest.mark.parametrize("vector", vectors("chunk", good=True))
def test_a_chunk_is_made_byte_for_byte(vector: dict[str, Any]) -> None:
    ask = Ask(vector["version"], vector["file"], vector["offset"], 1)
    made = encode_chunk(vector["node"], bytes.fromhex(vector["key"]), ask, bytes.fromhex(vector["content"]))
    assert made.hex() == vector["chunk"]
