"""The one image of a board: everything between its loader and the end of its file system, as what must be written where. Pure."""

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from derb_tools.boards import Board
from derb_tools.errors import ImageRefused
from derb_tools.flash.esp_image import loader_offset
from derb_tools.flash.file_system import board_files, littlefs_bytes
from derb_tools.flash.micropython_image import MicroPythonImage
from derb_tools.flash.nvs import Entries, nvs_bytes
from derb_tools.flash.partitions import SECTOR_BYTES, TABLE_AT, partition, table_bytes

PIECE_BYTES = 0x10000
_BLANK = b"\xff"
_DIGEST_BYTES = 32
_SIZE_CODE = {2: 1, 4: 2, 8: 3, 16: 4, 32: 5}


@dataclass(frozen=True)
class Piece:
    """What is written in one step: whole sectors."""

    offset: int
    content: bytes

    @property
    def md5(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class BoardImage:
    """`whole`: the flash from its first byte on, 0xFF where nothing is; `begin`: where the loader is; `vfs`: (offset, size)."""

    whole: bytes
    begin: int
    vfs: tuple[int, int]

    def pieces(self) -> list[Piece]:
        """What must be written, in the order of the flash. Blocks that the file system does not use are left as they are."""
        vfs_at, vfs_bytes = self.vfs
        program = self.whole[self.begin : vfs_at].rstrip(_BLANK)
        made = list(_cut(self.begin, program))
        for at, blocks in _used(self.whole[vfs_at : vfs_at + vfs_bytes]):
            made += _cut(vfs_at + at, blocks)
        return made

    @property
    def size(self) -> int:
        """How many bytes must be written."""
        return sum(len(piece.content) for piece in self.pieces())

    def compressed(self) -> int:
        """How many of them go over the line, compressed piece by piece as esptool does."""
        return sum(len(zlib.compress(piece.content, 9)) for piece in self.pieces())


def board_image(
    board: Board, micropython: MicroPythonImage, files: Mapping[str, bytes], entries: Entries
) -> BoardImage:
    """The image for a board. ImageRefused when something does not fit."""
    if micropython.flash_mb > board.flash_mb:
        raise ImageRefused(
            f"the MicroPython image is for {micropython.flash_mb} MB of flash, and {board.name} has {board.flash_mb}"
        )
    places = board.layout.places()
    vfs_at, vfs_size = places["vfs"]
    parts = {
        loader_offset(board.chip): _loader(micropython.loader, board.flash_mb),
        TABLE_AT: table_bytes([partition(key, *place) for key, place in places.items()]),
        places["nvs"][0]: nvs_bytes(entries, places["nvs"][1]),
        places["app"][0]: _app(micropython, *places["app"]),
        vfs_at: littlefs_bytes(files, vfs_size),
    }
    whole = bytearray(_BLANK * (vfs_at + vfs_size))
    for offset, content in parts.items():
        whole[offset : offset + len(content)] = content
    return BoardImage(bytes(whole), loader_offset(board.chip), places["vfs"])


def build(board: Board, micropython: MicroPythonImage, firmware: Path, entries: Entries) -> BoardImage:
    """`board_image` with the firmware of a folder in it, compiled for the board."""
    return board_image(board, micropython, board_files(board.role, firmware, board.chip), entries)


def check_flash_size(board: Board, found_bytes: int) -> None:
    """ImageRefused when a board turns out to have less flash than its description says."""
    if found_bytes < board.flash_bytes:
        raise ImageRefused(
            f"this board has {found_bytes >> 20} MB of flash, and a {board.name} has {board.flash_mb}: "
            "it is another board, or another make of it; describe it in a file of its own (`derb boards FILE`)"
        )


def check_revision(micropython: MicroPythonImage, found: int) -> None:
    """ImageRefused when the image is not for chips of this revision: its loader would not start."""
    least, most = micropython.revisions
    if not least <= found <= most:
        wanted = f"{_revision(least)} or newer" if found < least else f"{_revision(most)} or older"
        raise ImageRefused(
            f"the MicroPython image is for a chip of revision {wanted}, and this board's is {_revision(found)}: "
            "take another image (--image FILE), or another board"
        )


def _revision(number: int) -> str:
    return f"v{number // 100}.{number % 100}"


def _loader(loader: bytes, flash_mb: int) -> bytes:
    """The loader, told how large the flash is: it refuses a partition beyond what its header says."""
    header = bytearray(loader[:-_DIGEST_BYTES])
    header[3] = _SIZE_CODE[flash_mb] << 4 | header[3] & 0x0F
    return bytes(header) + hashlib.sha256(header).digest()


def _app(micropython: MicroPythonImage, _offset: int, size: int) -> bytes:
    if len(micropython.app) > size:
        raise ImageRefused(
            f"MicroPython has {len(micropython.app)} bytes, and layout.app of the board {size}; make it larger"
        )
    return micropython.app


def _used(blocks: bytes) -> Iterator[tuple[int, bytes]]:
    """Runs of blocks that are not blank, as (offset, content)."""
    begin = None
    for at in range(0, len(blocks) + SECTOR_BYTES, SECTOR_BYTES):
        used = bool(blocks[at : at + SECTOR_BYTES].strip(_BLANK))
        if used and begin is None:
            begin = at
        if not used and begin is not None:
            yield begin, blocks[begin:at]
            begin = None


def _cut(offset: int, content: bytes) -> Iterator[Piece]:
    """Pieces that end where the flash's large blocks do, the last one filled up to a whole sector."""
    end = offset + len(content)
    while offset < end:
        border = min((offset // PIECE_BYTES + 1) * PIECE_BYTES, end)
        part, content = content[: border - offset], content[border - offset :]
        yield Piece(offset, part.ljust(-(-len(part) // SECTOR_BYTES) * SECTOR_BYTES, _BLANK))
        offset = border
