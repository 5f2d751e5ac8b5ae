"""A MicroPython image is taken only when it is whole, for this chip and new enough; else a sentence says why."""

import hashlib
import random

import pytest
from derb_tools.errors import ImageRefused
from derb_tools.flash.esp_image import read_esp_image
from derb_tools.flash.micropython_image import read_micropython

from tests.tools.flash.images import (
    APP_AT,
    ESP32_LOADER_AT,
    image_for,
    micropython_for,
    real_image,
    relabelled,
)

APP = APP_AT - ESP32_LOADER_AT


def rehashed(image: bytes, old: bytes, new: bytes) -> bytes:
    """The image with other words in its application, whose checksum and hash are right."""
    assert len(old) == len(new)
    app = bytearray(image[APP:-32])
    app[:] = bytes(app).replace(old, new)
    app[-1] ^= _xor(old, new) if bytes(image[APP:-32]).count(old) % 2 else 0
    return image[:APP] + bytes(app) + hashlib.sha256(app).digest()


def _xor(old: bytes, new: bytes) -> int:
    changed = 0
    for one, other in zip(old, new, strict=True):
        changed ^= one ^ other
    return changed


def test_the_official_image_is_taken_apart() -> None:
    image = micropython_for("esp32")
    assert (image.version, image.flash_mb) == ((1, 25, 0), 4)
    assert real_image()[APP:] == image.app
    assert real_image().startswith(image.loader)


@pytest.mark.parametrize("chip", ["esp32s2", "esp32s3", "esp32c3", "esp32c6"])
def test_every_chips_layout_is_read(chip: str) -> None:
    assert micropython_for(chip).app[12] != micropython_for("esp32").app[12]


def test_an_image_for_another_chip_is_refused_by_name() -> None:
    with pytest.raises(ImageRefused, match="loader is for the esp32, and the board has an esp32c3"):
        read_micropython(real_image(), "esp32c3", "it.bin")
    half = real_image()[:APP] + relabelled(micropython_for("esp32").app, "esp32s3")
    with pytest.raises(ImageRefused, match="application is for the esp32s3, and the board has an esp32"):
        read_micropython(half, "esp32", "it.bin")


def test_every_changed_byte_of_loader_and_application_is_found() -> None:
    chance = random.Random(6)
    loader = micropython_for("esp32").loader
    places = [chance.randrange(len(loader)) for _ in range(40)]
    places += [APP + chance.randrange(len(real_image()) - APP) for _ in range(8)]
    for at in [*places, *range(24)]:
        damaged = bytearray(real_image())
        damaged[at] ^= 1 << chance.randrange(8)
        with pytest.raises(ImageRefused, match=r"^it\.bin: its (loader|application) is "):
            read_micropython(bytes(damaged), "esp32", "it.bin")


@pytest.mark.parametrize(
    "length", [0, 1, 23, 24, 30, 1000, 23_000, 23_263, 28_000, APP + 10, APP + 100_000, -1]
)
def test_a_cut_image_is_refused(length: int) -> None:
    with pytest.raises(ImageRefused, match=r"^it\.bin"):
        read_micropython(real_image()[:length], "esp32", "it.bin")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html>404</html>" * 4000, "is no ESP32 image: it does not begin with 0xe9"),
        (bytes(100_000), "is no ESP32 image"),
        (b"\xe9" + b"\xff" * 100_000, "loader is for the chip 65535"),
        (b"\xe9\x10" + bytes(100_000), "is damaged"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(ImageRefused, match=told):
        read_micropython(content, "esp32", "it.bin")


def test_an_application_alone_is_refused_with_the_name_of_the_right_file() -> None:
    with pytest.raises(ImageRefused, match=r"holds an application only|there is no partition table"):
        read_micropython(real_image()[APP:], "esp32", "it.app-bin")
    with pytest.raises(ImageRefused, match=r"take the file whose name has no `\.app-bin`"):
        read_micropython(micropython_for("esp32").loader, "esp32", "it.app-bin")


def test_an_old_micropython_is_refused() -> None:
    old = rehashed(real_image(), b"MicroPython v1.25.0 on", b"MicroPython v1.19.1 on")
    with pytest.raises(ImageRefused, match=r"is MicroPython 1\.19\.1; the firmware needs 1\.25\.0 or newer"):
        read_micropython(old, "esp32", "it.bin")


def test_another_program_for_the_chip_is_refused() -> None:
    other = rehashed(real_image(), b"MicroPython v1.25.0 on", b"Blinkenlight v2.5.0 on")
    with pytest.raises(ImageRefused, match="is an ESP32 image, but not MicroPython"):
        read_micropython(other, "esp32", "it.bin")


def test_nothing_after_an_images_hash_is_taken_over() -> None:
    loader = micropython_for("esp32").loader
    assert read_esp_image(loader + b"\x55" * 999, "esp32", "it").content == loader
    assert read_esp_image(image_for("esp32s3")[:0x8000], "esp32s3", "it").content != loader
