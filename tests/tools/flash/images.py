"""MicroPython images for tests: the real one for the ESP32, and it re-labelled for the other chips."""

import hashlib
from functools import cache

from derb_tools.flash.esp_image import loader_offset, read_esp_image
from derb_tools.flash.micropython_image import MicroPythonImage, read_micropython
from derb_tools.flash.partitions import TABLE_AT
from derb_tools.thirdparty import image_file
from esptool.targets import CHIP_DEFS

APP_AT = 0x10000
ESP32_LOADER_AT = 0x1000


@cache
def real_image() -> bytes:
    """The official image for the ESP32."""
    return image_file().read_bytes()


@cache
def image_for(chip: str) -> bytes:
    """The real image; for another chip than the ESP32 its headers and offsets are that chip's, its code is not."""
    raw = real_image()
    if chip == "esp32":
        return raw
    begin = loader_offset(chip)
    loader = relabelled(read_esp_image(raw, "esp32", "it").content, chip)
    app = relabelled(read_esp_image(raw[APP_AT - ESP32_LOADER_AT :], "esp32", "it").content, chip)
    table = raw[TABLE_AT - ESP32_LOADER_AT : TABLE_AT - ESP32_LOADER_AT + 0xC00]
    whole = loader.ljust(TABLE_AT - begin, b"\xff") + table
    return whole.ljust(APP_AT - begin, b"\xff") + app


@cache
def micropython_for(chip: str) -> MicroPythonImage:
    return read_micropython(image_for(chip), chip, f"{chip}.bin")


def relabelled(image: bytes, chip: str) -> bytes:
    """An image whose header names another chip, with a hash that is right."""
    changed = bytearray(image[:-32])
    changed[12:14] = CHIP_DEFS[chip].IMAGE_CHIP_ID.to_bytes(2, "little")
    return bytes(changed) + hashlib.sha256(changed).digest()
