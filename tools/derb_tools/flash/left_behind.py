"""What a board holds that runs no program any more: its outbox and its key, read out of its bare flash."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

from derb_tools.errors import ImageRefused, NotRead
from derb_tools.flash.esp_image import loader_offset
from derb_tools.flash.file_system import littlefs_of
from derb_tools.flash.flash_view import RUN_BYTES, FlashView
from derb_tools.flash.node_entries import NODE_NAMESPACE
from derb_tools.flash.nvs_read import Values, read_nvs
from derb_tools.flash.partitions import KINDS, SECTOR_BYTES, TABLE_AT, TABLE_BYTES, Partition, parse_table

OUTBOX = "/outbox"
_BLANK = b"\xff"
_DIRECTORY = 2
_LARGEST_FILE = 0x4000  # a file of the outbox has 1,200 bytes


@dataclass
class LeftBehind:
    """`nvs`: of the node's namespace; `blobs`: in what its readings are, files of the outbox or blocks of a file system
    that is no more; `files`: size of each file at the root and in the outbox; `unreadable`: how many were not read."""

    nvs: Values
    blobs: list[bytes] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0
    mounted: bool = True


def left_behind(flash: FlashView, chip: str) -> LeftBehind | None:
    """What is on it; None when no outbox is to be looked for: it is blank, half flashed, or has another program. NotRead."""
    table = _table(flash)
    vfs = _of_kind(table, "vfs")
    if vfs is None or not flash.read(loader_offset(chip), SECTOR_BYTES).strip(_BLANK):
        return None
    nvs = _of_kind(table, "nvs")
    left = LeftBehind(read_nvs(flash.read(nvs.offset, nvs.size)).get(NODE_NAMESPACE, {}) if nvs else {})
    _Files(flash, vfs).into(left)
    if not left.mounted and not left.nvs:
        return None
    if not left.mounted or left.unreadable:
        left.blobs += _blocks(flash, vfs)
    return left


def _table(flash: FlashView) -> list[Partition]:
    try:
        return parse_table(flash.read(TABLE_AT, TABLE_BYTES))
    except ImageRefused:
        return []


def _of_kind(table: list[Partition], key: str) -> Partition | None:
    _, type_, subtype = KINDS[key]
    return next((each for each in table if (each.type, each.subtype) == (type_, subtype)), None)


def _blocks(flash: FlashView, vfs: Partition) -> Iterator[bytes]:
    """Every block that is not blank: a file of the outbox lies in one."""
    for at in range(vfs.offset, vfs.end, RUN_BYTES):
        run = flash.read(at, min(RUN_BYTES, vfs.end - at))
        blocks = (run[begin : begin + SECTOR_BYTES] for begin in range(0, len(run), SECTOR_BYTES))
        yield from (block for block in blocks if block.strip(_BLANK))


class _Files(UserContext):
    """A littlefs that is only read; littlefs itself cannot hand on what failed, so that is kept here."""

    def __init__(self, flash: FlashView, vfs: Partition) -> None:
        self.in_size = vfs.size
        self._flash = flash
        self._vfs = vfs
        self._failed: NotRead | None = None

    def into(self, left: LeftBehind) -> None:
        """Put the outbox and the names of files into it. NotRead."""
        fs = littlefs_of(self._vfs.size, self, mount=False)
        try:
            fs.mount()
            for folder in ("/", OUTBOX):
                self._look_into(fs, folder, left)
        except LittleFSError:
            left.mounted = False
        if self._failed:
            raise self._failed

    def _look_into(self, fs: LittleFS, folder: str, left: LeftBehind) -> None:
        if folder == OUTBOX and not any(each.name == OUTBOX[1:] for each in fs.scandir("/")):
            return
        for each in fs.scandir(folder):
            if each.type == _DIRECTORY:
                continue
            path = f"{folder.rstrip('/')}/{each.name}"
            left.files[path] = each.size
            if folder == OUTBOX:
                try:
                    with fs.open(path, "rb") as file:
                        left.blobs.append(file.read(_LARGEST_FILE))
                except LittleFSError:
                    left.unreadable += 1

    def read(self, cfg, block: int, off: int, size: int) -> bytearray:  # type: ignore[no-untyped-def]
        try:
            content = self._flash.read(self._vfs.offset + block * SECTOR_BYTES + off, size)
        except NotRead as failed:
            self._failed = failed
            content = bytes(size)
        return bytearray(content)

    def prog(self, *_: object) -> int:
        return int(LittleFSError.Error.LFS_ERR_IO)

    def erase(self, *_: object) -> int:
        return int(LittleFSError.Error.LFS_ERR_IO)
