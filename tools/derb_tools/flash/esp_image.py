"""One image that an ESP32 starts, loader or application: whole, for this chip, and how long it is. Pure.

The format is that of Espressif's esptool ("Firmware Image Format"); esptool reads it.
"""

import contextlib
import io
import struct
from dataclasses import dataclass

from esptool.bin_image import LoadFirmwareImage
from esptool.targets import CHIP_DEFS
from esptool.util import FatalError

from derb_tools.errors import ImageRefused

_MAGIC = 0xE9
_HEADER_BYTES = 24
_DIGEST_BYTES = 32
_ANY_REVISION = 0xFFFF
_FLASH_MB = {0: 1, 1: 2, 2: 4, 3: 8, 4: 16, 5: 32}


@dataclass(frozen=True)
class EspImage:
    """`content`: from its header to its hash, and nothing after; `flash_mb` and the chip's `revisions` (least, most; 301 is
    v3.1): what its header says."""

    content: bytes
    flash_mb: int
    revisions: tuple[int, int]


def read_esp_image(raw: bytes, chip: str, what: str) -> EspImage:
    """The image that `raw` begins with, checked by checksum and hash. ImageRefused, in a sentence about `what`."""
    if len(raw) < _HEADER_BYTES or raw[0] != _MAGIC:
        raise ImageRefused(f"{what} is no ESP32 image: it does not begin with {_MAGIC:#x}")
    _check_chip(raw, chip, what)
    image = _parsed(raw, chip, what)
    if image.checksum != image.calculate_checksum():
        raise ImageRefused(f"{what} is damaged: its checksum is not that of its content; fetch it again")
    if not image.append_digest:
        raise ImageRefused(f"{what} carries no SHA-256, so nobody can tell whether it is whole; take another")
    if image.stored_digest != image.calc_digest:
        raise ImageRefused(f"{what} is damaged: its SHA-256 is not that of its content; fetch it again")
    length = image.data_length + _DIGEST_BYTES
    return EspImage(raw[:length], _FLASH_MB.get(raw[3] >> 4, 0), _revisions(image, chip))


def _revisions(image, chip: str) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """As esptool reads them: older images have one digit for the least revision, the minor one on the ESP32-C3."""
    least, most = image.min_rev_full, image.max_rev_full or _ANY_REVISION
    if image.max_rev_full == 0 or (least == 0 and most == _ANY_REVISION):
        least = image.min_rev * (1 if chip == "esp32c3" else 100)
    return least, most


def loader_offset(chip: str) -> int:
    """Where on flash the chip looks for its second loader, in bytes."""
    return int(CHIP_DEFS[chip].BOOTLOADER_FLASH_OFFSET)


def _check_chip(raw: bytes, chip: str, what: str) -> None:
    (found,) = struct.unpack_from("<H", raw, 12)
    if found == CHIP_DEFS[chip].IMAGE_CHIP_ID:
        return
    names = {each.IMAGE_CHIP_ID: name for name, each in CHIP_DEFS.items() if hasattr(each, "IMAGE_CHIP_ID")}
    raise ImageRefused(f"{what} is for the {names.get(found, f'chip {found}')}, and the board has an {chip}")


def _parsed(raw: bytes, chip: str, what: str):  # type: ignore[no-untyped-def]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return LoadFirmwareImage(chip, raw)
    except (FatalError, struct.error, IndexError, ValueError, EOFError, OSError, RuntimeError) as error:
        raise ImageRefused(f"{what} is damaged or cut off ({error}); fetch it again") from None
