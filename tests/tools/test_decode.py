"""`derb decode`: the golden vectors as JSON, and every refusal with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from derb_tools.decode import decode_frame
from derb_tools.errors import FrameRefused
from tools.command import run_derb

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text("utf-8"))
GOOD = [vector for vector in VECTORS if "decoded" in vector]
REFUSED = [vector for vector in VECTORS if "refused" in vector]


def decode(vector: dict[str, Any], direction: str) -> dict[str, Any]:
    frame, key = bytes.fromhex(vector["frame"]), bytes.fromhex(vector["key"])
    return dict(decode_frame(vector["node"], key, frame, direction))


def name(vector: dict[str, Any]) -> str:
    return f"{vector['direction']}-{vector['name']}"


@pytest.mark.parametrize("vector", [v for v in GOOD if v["direction"] == "up"], ids=name)
def test_uplinks_of_the_golden_vectors_are_shown(vector: dict[str, Any]) -> None:
    decoded = decode(vector, "auto")
    want = vector["decoded"]
    assert (decoded["direction"], decoded["node"]) == ("up", vector["node"])
    assert {field: decoded[field] for field in want} == want


@pytest.mark.parametrize("vector", [v for v in GOOD if v["direction"] == "down"], ids=name)
def test_downlinks_of_the_golden_vectors_are_shown(vector: dict[str, Any]) -> None:
    decoded = decode(vector, "auto")
    want = vector["decoded"]
    assert decoded["direction"] == "down"
    for field in ("unix_s", "synchronised", "config_version"):
        assert decoded[field] == want[field]
    assert [[r["boot"], r["first"], r["last"]] for r in decoded["ranges"]] == want["ranges"]
    assert [[section["type"], section["hex"]] for section in decoded["sections"]] == want["sections"]


@pytest.mark.parametrize("vector", REFUSED, ids=name)
def test_refused_vectors_are_refused_for_their_reason(vector: dict[str, Any]) -> None:
    with pytest.raises(FrameRefused, match=f"^{vector['refused']}: "):
        decode(vector, vector["direction"])


def test_the_command_prints_one_json_object() -> None:
    vector = GOOD[0]
    finished = run_derb("decode", vector["frame"], "--node", vector["node"], "--key", vector["key"])
    assert (finished.returncode, finished.stderr) == (0, "")
    assert json.loads(finished.stdout) == decode(vector, "auto")


def test_capitals_colons_and_spaces_do_no_harm() -> None:
    vector = GOOD[0]
    frame = " ".join(vector["frame"][i : i + 2].upper() for i in range(0, len(vector["frame"]), 2))
    node = ":".join(vector["node"][i : i + 2].upper() for i in range(0, 12, 2))
    assert run_derb("decode", frame, "--node", node, "--key", vector["key"].upper()).returncode == 0


def test_a_frame_that_is_none_exits_1_with_the_reason() -> None:
    vector = GOOD[0]
    finished = run_derb("decode", vector["frame"], "--node", vector["node"], "--key", "00" * 32)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr.startswith("derb: bad_tag: the tag does not fit")


@pytest.mark.parametrize(
    ("frame", "node", "key"),
    [
        ("zz", "240ac4a1b2c3", "00" * 32),
        ("210", "240ac4a1b2c3", "00" * 32),
        ("21", "240ac4a1b2", "00" * 32),
        ("21", "240ac4a1b2c3", "00" * 31),
        ("21", "240ac4a1b2c3", "key"),
    ],
)
def test_misuse_exits_2(frame: str, node: str, key: str) -> None:
    finished = run_derb("decode", frame, "--node", node, "--key", key)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "hex digits" in finished.stderr
