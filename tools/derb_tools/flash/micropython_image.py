"""A MicroPython image as it is downloaded: loader, partition table and application in one file. Pure."""

import re
from dataclasses import dataclass

from derb_tools.errors import ImageRefused
from derb_tools.flash.esp_image import loader_offset, read_esp_image
from derb_tools.flash.partitions import TABLE_AT, TABLE_BYTES, Partition, parse_table

OLDEST = (1, 25, 0)
_APP_TYPE = 0
_VERSION = re.compile(rb"MicroPython v(\d+)\.(\d+)\.(\d+)[^ \0]{0,60} on \d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class MicroPythonImage:
    """`version`: of MicroPython; `flash_mb`: of the flash that its loader expects; `revisions`: least and most of the chip."""

    chip: str
    loader: bytes
    app: bytes
    version: tuple[int, int, int]
    table: list[Partition]
    flash_mb: int
    revisions: tuple[int, int]


def read_micropython(raw: bytes, chip: str, name: str) -> MicroPythonImage:
    """The parts of the file called `name`, each checked. ImageRefused."""
    loader = read_esp_image(raw, chip, f"{name}: its loader")
    begin = loader_offset(chip)
    if len(raw) < TABLE_AT - begin + TABLE_BYTES:
        raise ImageRefused(
            f"{name} holds an application only, as for updates over the air; take the file whose name has no `.app-bin`"
        )
    table = parse_table(raw[TABLE_AT - begin :])
    app_at = next((each.offset for each in table if each.type == _APP_TYPE), None)
    if app_at is None:
        raise ImageRefused(f"{name}: its partition table has no application")
    app = read_esp_image(raw[app_at - begin :], chip, f"{name}: its application")
    (least, most), (app_least, app_most) = loader.revisions, app.revisions
    return MicroPythonImage(
        chip,
        loader.content,
        app.content,
        _version(app.content, name),
        table,
        loader.flash_mb,
        (max(least, app_least), min(most, app_most)),
    )


def _version(app: bytes, name: str) -> tuple[int, int, int]:
    found = _VERSION.search(app)
    if found is None:
        raise ImageRefused(f"{name} is an ESP32 image, but not MicroPython")
    major, minor, patch = (int(number) for number in found.groups())
    if (major, minor, patch) < OLDEST:
        raise ImageRefused(
            f"{name} is MicroPython {major}.{minor}.{patch}; the firmware needs {'.'.join(map(str, OLDEST))} or newer"
        )
    return major, minor, patch
