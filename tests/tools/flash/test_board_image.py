"""The one image of a board holds what was asked for, byte by byte, and is refused when it could not run."""

import contextlib
import hashlib
import json
import os
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from derb_gateway.node_settings import node_settings
from derb_tools.board import Battery, Lis3mdl, SimBoard
from derb_tools.board.image import make_image
from derb_tools.board.nvs import write_nvs
from derb_tools.boards import Board, load_board, load_boards
from derb_tools.bytecode import ARCH_OF_CHIP
from derb_tools.chips import CHIPS
from derb_tools.errors import ImageRefused
from derb_tools.firmware_files import boards_dir, firmware_dir
from derb_tools.flash.board_image import PIECE_BYTES, BoardImage, board_image, build, check_flash_size
from derb_tools.flash.esp_image import loader_offset, read_esp_image
from derb_tools.flash.file_system import board_files, littlefs_bytes
from derb_tools.flash.node_entries import Identity, node_entries, relay_entries
from derb_tools.flash.node_file import NodeFile
from derb_tools.flash.nvs import Entries
from derb_tools.flash.partitions import TABLE_AT, parse_table
from derb_tools.interpreters import micropython_command
from derb_tools.thirdparty import umqtt_dir
from littlefs import LittleFS, LittleFSError

from tests.e2e.rig import busy_bay
from tests.tools.flash.images import micropython_for
from tests.tools.flash.nvs_reader import read_nvs_partition

SHIPPED = sorted(path.stem for path in boards_dir().glob("*.toml"))
NODE = "240ac4e29526"
KEY = bytes(range(32))
STREET = NodeFile(settings={"ssid": "derb", "psk": "derb-street", "broker": "gateway", "log": 1})

LIST_FILES = """
import hashlib, os, vfs
class Flash:
    def __init__(self, path, at):
        self.file, self.at = open(path, "rb"), at
    def readblocks(self, block, buf, offset=0):
        self.file.seek(self.at + block * 4096 + offset)
        self.file.readinto(buf)
    def writeblocks(self, block, buf, offset=0):
        raise OSError(30)
    def ioctl(self, operation, argument):
        return {4: %d, 5: 4096, 6: 0}.get(operation, 0)
def walk(path):
    for name, kind, *_ in os.ilistdir(path):
        inside = path + "/" + name
        if kind == 0x4000:
            walk(inside)
        else:
            with open(inside, "rb") as file:
                print(inside[3:], hashlib.sha256(file.read()).digest().hex())
vfs.mount(vfs.VfsLfs2(Flash(%r, %d)), "/d")
walk("/d")
"""


def entries_of(name: str, board: Board) -> Entries:
    if board.role == "relay":
        return relay_entries(6)
    return node_entries(name, board, STREET, Identity(NODE, KEY, "parking", "bay-1"), 1_790_000_000)


@pytest.fixture(scope="module")
def images() -> dict[str, BoardImage]:
    """An image for every board that there is."""
    return {
        name: build(board, micropython_for(board.chip), firmware_dir(), entries_of(name, board))
        for name, board in load_boards().items()
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_the_table_on_flash_is_the_boards_layout(name: str, images: dict[str, BoardImage]) -> None:
    board = load_board(name)
    table = parse_table(images[name].whole[TABLE_AT:])
    assert [each.label for each in table] == ["nvs", "phy_init", "factory", "vfs"]
    assert [(each.offset, each.size) for each in table] == list(board.layout.places().values())
    assert max(each.end for each in table) == board.flash_bytes


def test_the_layout_of_an_esp32_is_that_of_the_official_image(images: dict[str, BoardImage]) -> None:
    assert parse_table(images["firebeetle2-esp32-e"].whole[TABLE_AT:]) == micropython_for("esp32").table


@pytest.mark.parametrize("name", SHIPPED)
def test_loader_and_application_are_whole_and_of_this_chip(name: str, images: dict[str, BoardImage]) -> None:
    board, whole = load_board(name), images[name].whole
    loader = read_esp_image(whole[loader_offset(board.chip) :], board.chip, "the loader")
    app = read_esp_image(whole[board.layout.app.at :], board.chip, "the application")
    assert loader.flash_mb == board.flash_mb
    assert app.content == micropython_for(board.chip).app
    assert whole[: loader_offset(board.chip)].strip(b"\xff") == b""


@pytest.mark.parametrize("name", SHIPPED)
def test_nvs_holds_what_the_firmware_reads(name: str, images: dict[str, BoardImage]) -> None:
    board = load_board(name)
    at, size = board.layout.places()["nvs"]
    read = read_nvs_partition(images[name].whole[at : at + size])
    assert read == entries_of(name, board)
    if board.role == "node":
        settings = json.loads(read["derb"]["cfg"])
        assert settings["board"] == name
        assert settings.get("int_pin", node_settings()["int_pin"].default) == board.pins.int_pin
        assert read["derb"]["key"] == KEY


@pytest.mark.parametrize("name", SHIPPED)
def test_the_file_system_mounts_here_and_in_micropython_and_holds_the_firmware(
    name: str, images: dict[str, BoardImage], tmp_path: Path
) -> None:
    board = load_board(name)
    wanted = board_files(board.role, firmware_dir(), board.chip)
    at, size = board.layout.places()["vfs"]
    assert mounted(images[name].whole[at : at + size]) == wanted
    flash = tmp_path / "flash.bin"
    flash.write_bytes(images[name].whole)
    code = LIST_FILES % (size // 4096, str(flash), at)
    said = subprocess.run([*micropython_command(), "-c", code], capture_output=True, text=True, check=True)
    assert dict(line.split() for line in said.stdout.splitlines()) == {
        path: hashlib.sha256(content).hexdigest() for path, content in wanted.items()
    }


def mounted(raw: bytes, *, damaged: bool = False) -> dict[str, bytes]:
    """Name -> content; of a `damaged` one without the files that cannot be read."""
    fs = LittleFS(block_size=4096, block_count=len(raw) // 4096, mount=False)
    fs.context.buffer[:] = raw
    fs.mount()
    found = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with contextlib.suppress(*[LittleFSError] if damaged else []), fs.open(path, "rb") as file:
                found[path[1:]] = file.read()
    return found


def test_the_files_are_those_that_a_simulated_board_has(tmp_path: Path) -> None:
    make_image(tmp_path / "flash.img", firmware_dir())
    simulated = {
        path for path in mounted((tmp_path / "flash.img").read_bytes()) if not path.startswith("relay/")
    }
    node = board_files("node", firmware_dir(), "esp32")
    assert {path.replace(".mpy", ".py") for path in node} == simulated


@pytest.mark.parametrize("chip", CHIPS)
def test_the_firmware_runs_on_every_chip_without_native_code(chip: str) -> None:
    compiled = [
        content for path, content in board_files("node", firmware_dir(), chip).items() if path != "main.py"
    ]
    assert chip in ARCH_OF_CHIP
    assert {content[:2] for content in compiled} == {b"M\x06"}
    assert {content[2] >> 2 for content in compiled} == {0}, "native code would tie a release to one chip"
    assert {content[3] for content in compiled} == {31}, "small integers of 31 bits, as on a 32-bit board"


def test_the_image_boots_a_simulated_node_to_its_first_reading(
    images: dict[str, BoardImage], tmp_path: Path
) -> None:
    name = "firebeetle2-esp32-e"
    board, image = load_board(name), images[name]
    assert board.pins.int_pin is not None
    sensor = Lis3mdl(
        busy_bay(tmp_path / "bay.mag"),
        scl=board.pins.i2c_scl or 0,
        sda=board.pins.i2c_sda or 0,
        int_pin=board.pins.int_pin,
    )
    battery = Battery(mv=1950, pin=board.pins.batt_pin or 0)
    simulated = SimBoard(tmp_path / "board", firmware_dir(), bytes.fromhex(NODE), sensors=[sensor, battery])
    simulated.factory()
    at, size = board.layout.places()["vfs"]
    simulated.flash.write_bytes(with_umqtt(image.whole[at : at + size]))
    nvs_at, nvs_size = board.layout.places()["nvs"]
    (tmp_path / "board" / "nvs").write_bytes(b"")
    for namespace, values in read_nvs_partition(image.whole[nvs_at : nvs_at + nvs_size]).items():
        write_nvs(tmp_path / "board" / "nvs", namespace, values)
    result = simulated.wake()
    assert result.end == "deepsleep", result
    assert result.said("derb kept"), result
    assert result.violations == []


def with_umqtt(raw: bytes) -> bytes:
    """The image, and umqtt.simple beside it, which only the official image of a real board has frozen in."""
    fs = LittleFS(block_size=4096, block_count=len(raw) // 4096, mount=False)
    fs.context.buffer[:] = raw
    fs.mount()
    fs.makedirs("/lib/umqtt")
    with fs.open("/lib/umqtt/simple.py", "wb") as file:
        file.write((umqtt_dir() / "umqtt" / "simple.py").read_bytes())
    return bytes(fs.context.buffer)


def test_what_is_written_is_whole_sectors_in_order_and_no_more(images: dict[str, BoardImage]) -> None:
    for image in images.values():
        pieces = image.pieces()
        assert pieces[0].offset == image.begin
        flash = bytearray(b"\xff" * len(image.whole))
        for before, after in pairwise(pieces):
            assert before.offset + len(before.content) <= after.offset
        for piece in pieces:
            assert len(piece.content) % 4096 == piece.offset % 4096 == 0
            assert piece.offset // PIECE_BYTES == (piece.offset + len(piece.content) - 1) // PIECE_BYTES
            flash[piece.offset : piece.offset + len(piece.content)] = piece.content
        assert bytes(flash) == image.whole
        assert image.size < len(image.whole) // 2 + PIECE_BYTES


def test_a_flash_that_is_too_small_is_refused() -> None:
    board = load_board("firebeetle2-esp32-e")
    check_flash_size(board, 4 << 20)
    with pytest.raises(ImageRefused, match=r"has 2 MB of flash, and a .* has 4: it is another board"):
        check_flash_size(board, 2 << 20)


def test_an_image_for_a_larger_flash_is_refused() -> None:
    board = load_board("firebeetle2-esp32-e")
    large = replace(micropython_for("esp32"), flash_mb=16)
    with pytest.raises(ImageRefused, match=r"is for 16 MB of flash, and .* has 4"):
        board_image(board, large, {}, {})


def test_a_block_that_rots_costs_no_folder_and_at_most_one_file() -> None:
    board = load_board("firebeetle2-esp32-e")
    files = board_files("node", firmware_dir(), board.chip)
    whole = littlefs_bytes(files, 0x200000)
    written = [at for at in range(0, len(whole), 4096) if whole[at : at + 4096].strip(b"\xff")]
    lost = []
    for at in written:
        rotten = whole[:at] + bytes(4096) + whole[at + 4096 :]
        left = mounted(rotten, damaged=True)
        lost.append(sum(left.get(name) != content for name, content in files.items()))
    # Two for the root, drivers, links and outbox, four for derb, which has too many files for one pair of blocks.
    assert (lost.count(0), max(lost)) == (12, 1)


def with_place(board: Board, key: str, at: int, size: int) -> Board:
    place = type(board.layout.nvs)(at=at, size=size)
    return board.model_copy(update={"layout": board.layout.model_copy(update={key: place})})


def test_an_application_larger_than_its_partition_is_refused() -> None:
    board = with_place(load_board("firebeetle2-esp32-e"), "app", 0x10000, 0x100000)
    with pytest.raises(
        ImageRefused, match=r"MicroPython has 1640800 bytes, and layout\.app of the board 1048576"
    ):
        board_image(board, micropython_for("esp32"), {}, {})


@pytest.mark.parametrize("content", [50_000, 200_000, 3_000_000])
def test_a_full_file_system_is_refused(content: int) -> None:
    board = with_place(load_board("firebeetle2-esp32-e"), "vfs", 0x200000, 0x40000)
    files = {"main.py": os.urandom(content)}
    with pytest.raises(ImageRefused, match=r"does not fit into a file system of 262144 bytes .* layout\.vfs"):
        board_image(board, micropython_for("esp32"), files, {})


def test_full_settings_are_refused() -> None:
    board = load_board("firebeetle2-esp32-e")
    entries = {"derb": {f"blob{number}": bytes(1900) for number in range(12)}}
    with pytest.raises(ImageRefused, match=r"do not fit into NVS of 24576 bytes; make layout\.nvs"):
        board_image(board, micropython_for("esp32"), {"main.py": b"pass"}, entries)


def test_a_name_that_nvs_cannot_hold_is_refused() -> None:
    board = load_board("firebeetle2-esp32-e")
    with pytest.raises(ImageRefused, match="up to 15 letters"):
        board_image(
            board, micropython_for("esp32"), {"main.py": b"pass"}, {"derb": {"a_far_too_long_name": 1}}
        )
