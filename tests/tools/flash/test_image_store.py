"""An image is the same at every use: fetched once, pinned, and refused when it has changed."""

import hashlib
import json
from pathlib import Path

import pytest
from derb_tools.errors import ImageRefused, PartMissing, ToolError
from derb_tools.flash.image_store import RELEASE, ImageStore, default_store

from tests.tools.flash.file_server import file_server

NAME = "ESP32_GENERIC"
FILE = f"{NAME}-{RELEASE}.bin"
CONTENT = b"an image" * 1000


def store(folder: Path, site: str) -> ImageStore:
    return ImageStore(folder / "images", folder / "images.lock", site)


def good(content: bytes) -> None:
    if content.startswith(b"<"):
        raise ImageRefused(f"{NAME} is no ESP32 image")


def test_the_first_use_fetches_and_pins_the_second_needs_no_network(tmp_path: Path) -> None:
    with file_server(CONTENT) as server:
        file = store(tmp_path, server.url).image(NAME, good)
    assert file.read_bytes() == CONTENT
    assert json.loads((tmp_path / "images.lock").read_text()) == {FILE: hashlib.sha256(CONTENT).hexdigest()}
    assert store(tmp_path, "http://127.0.0.1:9").image(NAME, good) == file


def test_a_changed_image_is_refused_and_fetched_anew(tmp_path: Path) -> None:
    with file_server(CONTENT) as server:
        here = store(tmp_path, server.url)
        here.image(NAME, good).write_bytes(b"damaged on disk")
        with pytest.raises(ImageRefused, match=rf"{FILE} is not the one pinned in .*images\.lock"):
            here.image(NAME, good)
        assert here.image(NAME, good).read_bytes() == CONTENT


def test_another_image_at_the_same_address_is_refused(tmp_path: Path) -> None:
    with file_server(CONTENT) as server:
        store(tmp_path, server.url).image(NAME, good).unlink()
    why = "take its line out of the lock file only if you know why"
    with file_server(b"another") as server, pytest.raises(ImageRefused, match=why):
        store(tmp_path, server.url).image(NAME, good)
    assert not (tmp_path / "images" / FILE).exists()


def test_a_page_in_the_images_place_is_neither_pinned_nor_kept(tmp_path: Path) -> None:
    with (
        file_server(b"<html>Log in</html>") as server,
        pytest.raises(ImageRefused, match="want a log-in first"),
    ):
        store(tmp_path, server.url).image(NAME, good)
    assert not (tmp_path / "images.lock").exists()
    with file_server(CONTENT) as server:
        assert store(tmp_path, server.url).image(NAME, good).read_bytes() == CONTENT


def test_an_image_that_cannot_be_fetched_pins_nothing(tmp_path: Path) -> None:
    with pytest.raises(PartMissing):
        store(tmp_path, "nonsense").image(NAME, good)
    assert not (tmp_path / "images.lock").exists()


@pytest.mark.parametrize("lock", ["{", "[]", '{"a": 1}', "\x00"])
def test_a_damaged_lock_file_is_named(lock: str, tmp_path: Path) -> None:
    (tmp_path / "images.lock").write_text(lock)
    with pytest.raises(ToolError, match=r"images\.lock: .*delete it"):
        store(tmp_path, "http://127.0.0.1:9").image(NAME, good)


def test_images_are_kept_where_other_fetched_parts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERB_CACHE", "/kept")
    assert default_store().lock == Path("/kept/images/images.lock")
    assert default_store(Path("team.lock")).lock == Path("team.lock")
