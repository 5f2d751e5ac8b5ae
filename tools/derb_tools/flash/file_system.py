"""The file system of a board: the firmware compiled, in the layout that its `main.py` expects, in a littlefs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

from derb_tools.bytecode import compiled
from derb_tools.errors import ImageRefused
from derb_tools.flash.partitions import SECTOR_BYTES

Role = Literal["node", "relay"]

# The packages and modules of each role. `main.py` stays a source: MicroPython starts no other.
_PARTS: dict[Role, tuple[str, ...]] = {
    "node": ("slots.py", "derb"),
    "relay": ("derb/__init__.py", "relay"),
}
_MAIN: dict[Role, str] = {"node": "main.py", "relay": "relay/main.py"}

# What MicroPython's littlefs reads; a newer one it would refuse.
_DISK_VERSION = 0x00020000

_SLOTS = 2  # of updates over the air
_OUTBOX = "/outbox"
_OUTBOX_BYTES = 24 * SECTOR_BYTES

# A folder stands in two blocks, of which the older one is outdated or empty until the newer is full: so many entries fill it.
# A large folder stands in several such pairs, in the order of its names, of which each holds more than so many.
_ENTRY_LENGTH = 200
_ENTRIES_TO_FILL = 2 * SECTOR_BYTES // 400
_NAMES_OF_A_PAIR = 8


def board_files(role: Role, firmware: Path, chip: str) -> dict[str, bytes]:
    """Name on the board -> content of all that a board has on its file system."""
    main = firmware / _MAIN[role]
    sources = [
        source
        for part in _PARTS[role]
        for source in _modules(firmware / part)
        if source != main  # it is at the root, below
    ]
    return {"main.py": main.read_bytes(), **dict(compiled(firmware, sources, chip))}


def _modules(part: Path) -> list[Path]:
    return [part] if part.is_file() else sorted(part.rglob("*.py"))


def littlefs_bytes(files: Mapping[str, bytes], size: int) -> bytes:
    """A littlefs of `size` bytes with these files. ImageRefused when they do not fit."""
    fs = littlefs_of(size, disk_version=_DISK_VERSION)
    try:
        for name, content in files.items():
            fs.makedirs("/" + name.rpartition("/")[0], exist_ok=True)
            with fs.open("/" + name, "wb") as file:
                file.write(content)
        fs.makedirs(_OUTBOX, exist_ok=True)
        _double(fs)
        _check_room(fs, size)
    except LittleFSError as error:
        if error.code != LittleFSError.Error.LFS_ERR_NOSPC:
            raise
        raise ImageRefused(_too_small(size)) from None
    return bytes(fs.context.buffer)


def _double(fs: LittleFS) -> None:
    """Let both blocks of every folder hold all of it, so that either may rot: with one unreadable folder nothing mounts."""
    for folder, folders, files in list(fs.walk("/")):
        names = sorted([*folders, *files])
        for name in [*names[::_NAMES_OF_A_PAIR], "x"]:
            beside = f"{folder.rstrip('/')}/{name.ljust(_ENTRY_LENGTH, 'x')}"
            for _ in range(_ENTRIES_TO_FILL):
                fs.open(beside, "wb").close()
                fs.remove(beside)


def littlefs_of(
    size: int, context: UserContext | None = None, *, mount: bool = True, disk_version: int = 0
) -> LittleFS:
    """A littlefs of `size` bytes with the sizes of MicroPython's own VfsLfs2; `mount`: at once, and made if there is none."""
    return LittleFS(
        context,
        mount,
        block_size=SECTOR_BYTES,
        block_count=size // SECTOR_BYTES,
        read_size=32,
        prog_size=32,
        cache_size=128,
        lookahead_size=32,
        name_max=255,
        disk_version=disk_version,
    )


def _check_room(fs: LittleFS, size: int) -> None:
    used = fs.used_block_count * SECTOR_BYTES
    if size < used * (1 + _SLOTS) + _OUTBOX_BYTES:
        raise ImageRefused(_too_small(size))


def _too_small(size: int) -> str:
    return (
        f"the firmware does not fit into a file system of {size} bytes with room for two updates and the outbox; "
        "make layout.vfs of the board larger"
    )
