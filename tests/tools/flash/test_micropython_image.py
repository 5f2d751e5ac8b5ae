"""A MicroPython image is taken only when it is whole, for this chip and new enough; else a sentence says why."""

import contextlib
import hashlib
import io
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.chips import CHIPS
from derb_tools.errors import ImageRefused
from derb_tools.flash.board_image import check_revision
from derb_tools.flash.esp_image import read_esp_image
from derb_tools.flash.micropython_image import read_micropython
from esptool.bin_image import ELFSection
from esptool.targets import CHIP_DEFS

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


def made_by_esptool(chip: str, least: int = 0, most: int = 0xFFFF, legacy: int = 0) -> bytes:
    """An image that esptool's own writer makes for the chip: two segments in its flash, its header, its hash."""
    rom = CHIP_DEFS[chip]
    made = rom.BOOTLOADER_IMAGE()
    made.entrypoint = rom.IROM_MAP_START + 0x20
    made.flash_size_freq = rom.parse_flash_size_arg("8MB") + next(iter(rom.FLASH_FREQUENCY.values()))
    made.min_rev, made.min_rev_full, made.max_rev_full = legacy, least, most
    made.segments = [
        ELFSection(
            b".flash.rodata", rom.DROM_MAP_START + 0x20, b"MicroPython v1.26.1 on 2025-09-11\0" * 90, 0
        ),
        ELFSection(b".flash.text", rom.IROM_MAP_START + 0x10020, bytes(range(256)) * 20, 0),
    ]
    with tempfile.NamedTemporaryFile() as file, contextlib.redirect_stdout(io.StringIO()):
        made.save(file.name)
        return Path(file.name).read_bytes()


@pytest.mark.parametrize("chip", CHIPS)
def test_what_esptool_makes_for_each_chip_is_read_and_for_no_other(chip: str) -> None:
    image = made_by_esptool(chip)
    read = read_esp_image(image + b"\xff" * 4096, chip, "it")
    assert (read.content, read.flash_mb, read.revisions) == (image, 8, (0, 0xFFFF))
    for other in set(CHIPS) - {chip}:
        with pytest.raises(ImageRefused, match=f"is for the {chip}, and the board has an {other}"):
            read_esp_image(image, other, "it")
    for at in (5, len(image) // 2, len(image) - 40, len(image) - 1):
        damaged = image[:at] + bytes([image[at] ^ 1]) + image[at + 1 :]
        with pytest.raises(ImageRefused, match="damaged"):
            read_esp_image(damaged, chip, "it")


@pytest.mark.parametrize(
    ("chip", "fields", "revisions"),
    [
        ("esp32c6", (1, 99), (1, 99)),
        ("esp32", (301, 399), (301, 399)),
        ("esp32", (0, 0xFFFF, 3), (300, 0xFFFF)),
        ("esp32s3", (0, 0, 1), (100, 0xFFFF)),
        ("esp32c3", (0, 0, 3), (3, 0xFFFF)),
    ],
)
def test_the_revisions_of_the_chip_are_read_in_both_ways_of_writing(
    chip: str, fields: tuple[int, ...], revisions: tuple[int, int]
) -> None:
    assert read_esp_image(made_by_esptool(chip, *fields), chip, "it").revisions == revisions


def test_a_chip_that_is_too_old_for_the_image_is_refused_before_anything_is_written() -> None:
    image = replace(micropython_for("esp32"), revisions=(301, 399))
    for found, told in (
        (300, r"revision v3\.1 or newer, and this board's is v3\.0"),
        (400, r"v3\.99 or older"),
    ):
        with pytest.raises(ImageRefused, match=told):
            check_revision(image, found)
    check_revision(image, 301)
