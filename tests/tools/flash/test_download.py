"""A download goes on where it broke off, in this run or the next, and never makes one file of two."""

import random
from pathlib import Path

import pytest
import tenacity
from derb_tools.errors import PartMissing
from derb_tools.flash import download
from derb_tools.flash.download import fetch

from tests.tools.flash.file_server import file_server

CONTENT = random.Random(3).randbytes(300_000)
AT_ONCE = tenacity.wait_none()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "it.bin"


def test_a_file_comes_whole(target: Path) -> None:
    told = []
    with file_server(CONTENT) as server:
        fetch(f"{server.url}/it.bin", target, lambda here, whole: told.append((here, whole)), AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert told[-1] == (300_000, 300_000)
    assert [path.name for path in target.parent.iterdir()] == ["it.bin"]


def test_a_broken_connection_is_gone_on_from(target: Path) -> None:
    with file_server(CONTENT, cuts=[100_000, 50_000]) as server:
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_the_next_run_goes_on_where_the_last_gave_up(target: Path) -> None:
    with file_server(CONTENT, cuts=[10_000] * 5) as server:
        with pytest.raises(PartMissing, match=r"What came is kept and gone on from; .* --image FILE"):
            fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
        assert not target.exists()
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=50000-"


def test_another_file_under_the_same_name_is_fetched_from_its_beginning(target: Path) -> None:
    with file_server(CONTENT, cuts=[100_000] + [0] * 4) as server, pytest.raises(PartMissing):
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
    other = CONTENT[::-1]
    with file_server(other, tag='"v2"') as server:
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
    assert target.read_bytes() == other


@pytest.mark.parametrize(("tag", "ranges"), [("", True), ('W/"weak"', True), ('"v1"', False)])
def test_a_server_that_cannot_resume_costs_time_only(tag: str, ranges: bool, target: Path) -> None:
    with file_server(CONTENT, cuts=[100_000], tag=tag, ranges=ranges) as server:
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
    assert target.read_bytes() == CONTENT


def test_a_file_that_became_shorter_is_fetched_anew(target: Path) -> None:
    with file_server(CONTENT, cuts=[200_000] + [0] * 4) as server, pytest.raises(PartMissing):
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
    with file_server(CONTENT[:1000]) as server:
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
    assert target.read_bytes() == CONTENT[:1000]


def test_what_is_not_there_is_said_at_once(target: Path) -> None:
    with file_server(CONTENT) as server:
        with pytest.raises(PartMissing, match=r"/none: 404 Not Found; look there .*--image FILE"):
            fetch(f"{server.url}/none", target, wait=AT_ONCE)
        assert len(server.asked) == 1


def test_no_network_is_said_with_the_way_out(target: Path) -> None:
    with pytest.raises(PartMissing, match="bring the file on a stick"):
        fetch("http://127.0.0.1:9/it.bin", target, wait=AT_ONCE)
    with pytest.raises(PartMissing, match="cannot fetch nonsense"):
        fetch("nonsense", target, wait=AT_ONCE)


def test_a_file_without_end_is_cut_off(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST_BYTES", 100_000)
    with file_server(CONTENT) as server, pytest.raises(PartMissing, match="is larger than any image"):
        fetch(f"{server.url}/it.bin", target, wait=AT_ONCE)
