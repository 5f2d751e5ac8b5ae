"""Releases at the gateway: whole or not taken, pieces in order, nothing outside the folder."""

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.arrivals import Outcome
from derb_gateway.asks import CHUNK_BYTES, Ask, decode_ask, is_ask
from derb_gateway.downlink import LABEL
from derb_gateway.errors import ConfigError
from derb_gateway.frame import FRAME_MAX_BYTES, BadTag, Malformed, tag
from derb_gateway.releases import (
    SIGNATURE_BYTES,
    Releases,
    chunk_frames,
    parse_head,
    read_release,
    releases_path,
    version_text,
)
from gateway.kit import KEY, NODE, OTHER_KEY, STRANGER, Disk, arrival, registry

FILES = {"derb/a.mpy": bytes(range(256)) * 3, "derb/b.mpy": b"", "derb/c.mpy": b"x"}


def release(version: int = 203, files: dict[str, bytes] | None = None) -> bytes:
    """A release as its page says; the signature is for nodes to judge."""
    chosen = FILES if files is None else files
    manifest = b"DRBM\x01" + struct.pack("<IBB", version, 6, 1) + b"*" + bytes([len(chosen)])
    for name, content in chosen.items():
        manifest += bytes([len(name)]) + name.encode()
        manifest += struct.pack("<I32s", len(content), hashlib.sha256(content).digest())
    head = struct.pack("<H", len(manifest)) + manifest + bytes(SIGNATURE_BYTES)
    return head + b"".join(chosen.values())


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    (tmp_path / "new.derb").write_bytes(release())
    kept = Releases(tmp_path / "releases")
    kept.add(tmp_path / "new.derb")
    return kept


def fetched(releases: Releases, file: int) -> bytes:
    """A file as a node gets it, six chunks at a time."""
    content = b""
    while True:
        pieces = list(releases.chunks(Ask(203, file, len(content), 6)))
        for offset, piece in pieces:
            assert offset == len(content)
            content += piece
        if not pieces[-1][1] or len(pieces[-1][1]) < CHUNK_BYTES:
            return content


def test_every_file_is_given_as_it_is(releases: Releases) -> None:
    raw = release()
    head = parse_head(raw).head_bytes
    assert fetched(releases, 0) == raw[:head]
    for number, content in enumerate(FILES.values(), start=1):
        assert fetched(releases, number) == content


@pytest.mark.parametrize("ask", [(204, 0, 0), (203, 4, 0), (203, 1, 768), (203, 2, 0), (203, 1, 2**32 - 1)])
def test_what_is_not_there_is_said_with_an_empty_chunk(releases: Releases, ask: tuple[int, int, int]) -> None:
    assert list(releases.chunks(Ask(*ask, 6))) == [(ask[2], b"")]


def test_a_damaged_release_is_not_taken(tmp_path: Path) -> None:
    raw = release()
    head = parse_head(raw).head_bytes
    bad = [
        b"",
        raw[:10],
        raw[:head],
        raw[:-1],
        raw + b"x",
        b"x" + raw[1:],
        raw[: head + 5] + b"?" + raw[head + 6 :],
    ]
    for each in bad:
        (tmp_path / "bad.derb").write_bytes(each)
        with pytest.raises(ConfigError, match=r"release|damaged"):
            Releases(tmp_path / "releases").add(tmp_path / "bad.derb")
    assert not (tmp_path / "releases").exists()


@pytest.mark.parametrize("name", ["../main.py", "/main.py", "derb//x", "derb/../../x", ".", "", "a b"])
def test_a_name_that_leaves_the_slot_is_not_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / "bad.derb").write_bytes(release(files={name: b"x"}))
    with pytest.raises(ConfigError, match="name"):
        read_release(tmp_path / "bad.derb")


def test_a_release_that_is_damaged_later_is_as_good_as_not_there(releases: Releases) -> None:
    path = releases.folder / "203.derb"
    path.write_bytes(path.read_bytes()[:-1])
    assert list(Releases(releases.folder).chunks(Ask(203, 1, 0, 1))) == [(0, b"")]


def test_a_release_that_cannot_be_read_now_is_not_said_to_be_missing(releases: Releases) -> None:
    ask, path = Ask(203, 1, 0, 6), releases.folder / "203.derb"
    assert len(list(releases.chunks(ask))) == 4
    known = path.stat()
    path.unlink()
    path.mkdir()
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert list(releases.chunks(ask)) == []


def test_chunks_fit_a_radio_packet_and_are_signed_for_one_node(releases: Releases) -> None:
    outcome = Outcome({}, 0, [(NODE, Ask(203, 1, 0, 6)), (STRANGER, Ask(203, 1, 0, 6))])
    frames = list(chunk_frames(outcome, registry(), releases))
    assert [topic for topic, _ in frames] == [f"d/{NODE}/d"] * 4
    for _, frame in frames:
        assert len(frame) <= FRAME_MAX_BYTES
        assert frame[-8:] == tag(LABEL, NODE, KEY, frame[:-8])


def test_versions_in_words() -> None:
    assert version_text(10_203) == "1.2.3"
    assert releases_path(Path("/x/derb.sqlite3")) == Path("/x/releases")


def ask(body: str, key: bytes = KEY) -> bytes:
    untagged = bytes.fromhex(body)
    return untagged + tag(b"derb1u", NODE, key, untagged)


def test_an_ask_is_read() -> None:
    frame = ask("2fcb01010003")
    assert is_ask(frame)
    assert decode_ask(NODE, KEY, frame) == Ask(203, 1, 0, 3)
    assert decode_ask(NODE, KEY, ask("2f00000000")) == Ask(0, 0, 0, 0)


def test_bad_asks_are_refused() -> None:
    with pytest.raises(BadTag):
        decode_ask(NODE, KEY, ask("2fcb01010003", OTHER_KEY))
    for body in ("2fcb01010007", "2fcb0101000301", "2fcb018080", "2fcb0101ff", "2f01010203"[:-2] + "8000"):
        with pytest.raises(Malformed):
            decode_ask(NODE, KEY, ask(body))


def test_an_ask_is_passed_on_and_never_stored(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "derb.sqlite3")
    outcome = disk.take(
        arrival(ask("2fcb01010003")), arrival(ask("2f00000000")), arrival(ask("2fcb01010003", OTHER_KEY))
    )
    assert outcome.asks == [(NODE, Ask(203, 1, 0, 3))]
    assert outcome.ranges == {NODE: []}  # the second wants a downlink and nothing else
    assert disk.one("SELECT count(*) FROM reading") == 0
    counters: Any = disk.store.counters()
    assert counters["asks"] == 2
    assert counters["refused.bad_tag"] == 1


def test_the_vectors_of_releases_are_read_alike() -> None:
    path = Path(__file__).parents[1] / "vectors" / "releases.json"
    for vector in json.loads(path.read_text()):
        raw = bytes.fromhex(vector["head"]) + bytes(SIGNATURE_BYTES)  # theirs are shorter
        if vector["name"] == "a name that leaves the slot":
            with pytest.raises(ValueError, match="name"):
                parse_head(raw)
        else:
            head = parse_head(raw)
            assert [file.name for file in head.files] == [name for name, _ in vector["files"]]
            assert head.version == vector["version"]
