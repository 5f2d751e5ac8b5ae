"""From a port to a board that runs: find out who it is, build its image, write it, start it."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from derb_gateway.registry import Registry

from derb_tools.boards import Board
from derb_tools.errors import AskedWrong, ImageRefused, NothingToPull, NotRead
from derb_tools.firmware_files import firmware_dir
from derb_tools.flash.at_loader import Tell, again_and_again, start, who
from derb_tools.flash.board_image import BoardImage, build, check_flash_size, check_revision
from derb_tools.flash.choice import check_chip, guessed_board, usb_of
from derb_tools.flash.esp_loader import Found, ResetMode
from derb_tools.flash.flash_pull import left_on, saved_readings
from derb_tools.flash.image_store import ImageStore
from derb_tools.flash.micropython_image import MicroPythonImage, read_micropython
from derb_tools.flash.node_entries import bare_entries, identity, node_entries, relay_entries
from derb_tools.flash.node_file import NodeFile
from derb_tools.flash.nvs import Entries
from derb_tools.flash.steps import Advance, Steps
from derb_tools.flash.writing import Written, write_image

_FIRST_WITH_PSK = (1, 29, 0)


@dataclass(frozen=True)
class Wish:
    """What the technician asked for, read and checked. `registry` None: the node gets its key and its place later."""

    board: tuple[str, Board] | None
    image: Path | None
    nodes: NodeFile
    registry: Registry | None
    channel: int = 0
    forget_readings: bool = False
    mode: ResetMode = "default-reset"


@dataclass(frozen=True)
class Flashed:
    """What is on a board now; `pulled`: the file with the readings that were on it before."""

    board: str
    role: str
    node: str
    micropython: str
    written: Written
    line_bytes: int
    pulled: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def flash(port: str, wish: Wish, store: ImageStore, steps: Steps, tell: Tell) -> Flashed:
    """Write the board at `port` and start it. ToolError that says what to do."""
    with steps.step("board") as said:
        found = who(port, wish.mode)
        name, board = wish.board or guessed_board(found.chip, usb_of(port))
        check_chip(name, board, found.chip, port)
        check_flash_size(board, found.flash_bytes)
        entries = entries_for(name, board, found.node, wish)  # a mistake in them is told before a download
        said.append(f"{board.name}, {found.chip}, {found.flash_bytes >> 20} MB, {found.node}")
    pulled = None if wish.forget_readings else _saved(port, wish.mode, found, steps, tell)
    with steps.step("image") as said:
        micropython = checked_image(board, wish.image, store)
        check_revision(micropython, found.revision)
        said.append(f"MicroPython {version_of(micropython)} for {board.image}, whole")
    with steps.step("build") as said:
        check_tls(wish.nodes, micropython)
        image = build(board, micropython, firmware_dir(), entries)
        line_bytes = image.compressed()
        said.append(f"{image.size >> 10} kB, {line_bytes >> 10} kB on the line")
    with steps.step("write") as said, steps.bar(image.size) as advance:
        written = _written(image, port, wish.mode, tell, advance)
        said.append(
            f"{written.written >> 10} kB written, {written.found >> 10} kB were there; all of it verified"
        )
    with steps.step("start"):
        start(port, wish.mode)
    return Flashed(
        name, board.role, found.node, version_of(micropython), written, line_bytes, pulled, steps.seconds
    )


def _saved(port: str, mode: ResetMode, found: Found, steps: Steps, tell: Tell) -> str | None:
    """The file into which the readings were put that are on the board, None when there are none."""
    try:
        left = left_on(port, mode, found, tell)
        if left is None or not left.blobs:
            return None
        with steps.step("outbox") as said:
            readings, path = saved_readings(found.node, left)
            said.append(f"{readings} readings saved in {path}" if path else "no readings on it")
    except (NotRead, NothingToPull) as error:
        raise type(error)(
            f"{error}. Nothing was changed on it; --forget-readings flashes it without saving them"
        ) from None
    if path:
        tell(f"the gateway wants the readings: derb gateway take {path} --config gateway.toml")
    return str(path) if path else None


def _written(image: BoardImage, port: str, mode: ResetMode, tell: Tell, advance: Advance) -> Written:
    try:
        return write_image(image, again_and_again(port, mode, tell), advance)
    except KeyboardInterrupt:
        tell("stopped: the board is not whole and does not start; the same command goes on where it stopped")
        raise


def checked_image(board: Board, brought: Path | None, store: ImageStore) -> MicroPythonImage:
    """MicroPython for the board, from the file that was brought or from the store. ImageRefused, PartMissing."""
    path = brought or store.image(
        board.image, lambda content: read_micropython(content, board.chip, board.image)
    )
    try:
        return read_micropython(path.read_bytes(), board.chip, path.name)
    except OSError as error:
        raise ImageRefused(f"{path}: cannot be read: {error.strerror}") from None


def check_tls(nodes: NodeFile, micropython: MicroPythonImage) -> None:
    """AskedWrong when the nodes shall speak a TLS that this MicroPython does not know."""
    if nodes.settings.get("tls") == "psk" and micropython.version < _FIRST_WITH_PSK:
        raise AskedWrong(
            f'{nodes.path}: tls = "psk" needs MicroPython {".".join(map(str, _FIRST_WITH_PSK))}, and this is '
            f'{version_of(micropython)}: bring a newer one with --image, or say tls = "ca" or "off"'
        )


def entries_for(name: str, board: Board, node: str, wish: Wish) -> Entries:
    """What goes into NVS. AskedWrong."""
    if board.role == "relay":
        return relay_entries(wish.channel)
    if wish.registry is None:
        return bare_entries(name, board, wish.nodes)
    return node_entries(name, board, wish.nodes, identity(wish.registry, node), int(time.time()))


def image_without_board(name: str, board: Board, node: str, wish: Wish, store: ImageStore) -> BoardImage:
    """The image for the node with that id, with no board at hand."""
    entries = entries_for(name, board, node, wish)
    micropython = checked_image(board, wish.image, store)
    check_tls(wish.nodes, micropython)
    return build(board, micropython, firmware_dir(), entries)


def version_of(image: MicroPythonImage) -> str:
    return ".".join(map(str, image.version))
