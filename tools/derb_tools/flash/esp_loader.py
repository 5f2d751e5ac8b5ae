"""A board in its loader, over esptool as a library: who it is, and the four things that writing needs."""

import contextlib
import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import serial
from esptool import cmds
from esptool.loader import ESPLoader
from esptool.logger import log
from esptool.util import FatalError, flash_size_bytes

from derb_tools.errors import NoBoard, PortError
from derb_tools.flash.board_image import Piece
from derb_tools.flash.writing import LineLost
from derb_tools.usb_port import explained, is_there

ResetMode = Literal["default-reset", "usb-reset", "no-reset"]

BAUD = 460_800
BAUDS = (BAUD, BAUD, 230_400, 115_200)  # of one connection after the other, where the line fails
_OURS_TO_MEND = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EAGAIN)
_ROM_BAUD = 115_200
_SYNC_TRIES = 4
_LINE_FAULTS = (FatalError, serial.SerialException, OSError, struct.error, StopIteration, RuntimeError)
# Of these the line is no cause; esptool says them in a FatalError like all else.
_REFUSALS = ("will not fit", "Secure Boot", "encryption", "chip revision")


@dataclass(frozen=True)
class Found:
    """A board that answers: chip as in a board file, its revision (301 is v3.1), factory id (12 hex digits), bytes of flash."""

    chip: str
    node: str
    flash_bytes: int
    revision: int


class EspChip:
    """A connected board; every method raises LineLost."""

    def __init__(self, esp: ESPLoader) -> None:
        self._esp = esp

    def found(self) -> Found:
        """Who it is. NoBoard when its flash chip is a stranger."""
        with _line():
            size = cmds.detect_flash_size(self._esp)
            mac = bytes(self._esp.read_mac("BASE_MAC"))
            revision = int(self._esp.get_chip_revision())
        if size is None:
            raise NoBoard(
                "the board does not say how large its flash is: its flash chip is broken or unknown"
            )
        chip = self._esp.CHIP_NAME.lower().replace("-", "")
        return Found(chip, mac.hex(), flash_size_bytes(size) or 0, revision)

    def md5(self, offset: int, size: int) -> str:
        with _line():
            return str(self._esp.flash_md5sum(offset, size))

    def read(self, offset: int, size: int) -> bytes:
        with _line():
            return bytes(self._esp.read_flash(offset, size))

    def write(self, piece: Piece) -> None:
        with _line():
            cmds.write_flash(self._esp, [(piece.offset, piece.content)], compress=True, no_progress=True)

    def erase(self, offset: int, size: int) -> None:
        with _line():
            cmds.erase_region(self._esp, offset, size)

    def start(self) -> None:
        """Let it run what was written."""
        with _line():
            cmds.reset_chip(self._esp, "hard-reset")


@contextlib.contextmanager
def connected(port: str, mode: ResetMode = "default-reset", baud: int = BAUD) -> Iterator[EspChip]:
    """The board on a serial port or `socket://HOST:PORT`, in its loader, talking at `baud`. LineLost, NoBoard, PortError."""
    log.set_verbosity("silent")
    # esptool leaves a port open and locked whose board does not answer, so the port is ours.
    line = _opened(port)
    try:
        with _line():
            esp = cmds.run_stub(cmds.detect_chip(line, _ROM_BAUD, mode, False, _SYNC_TRIES))
            if baud != _ROM_BAUD:
                esp.change_baud(baud)
            cmds.attach_flash(esp)
        yield EspChip(esp)
    finally:
        with contextlib.suppress(*_LINE_FAULTS):
            line.close()


def _opened(port: str) -> serial.SerialBase:
    try:
        line = serial.serial_for_url(port, exclusive=True, do_not_open=True)
        line.open()
    except ValueError as error:
        raise PortError(f"{port}: {error}") from None
    except OSError as error:
        if is_there(port) and error.errno in _OURS_TO_MEND:
            raise explained(port, error) from None
        raise LineLost(str(error)) from error
    return line


@contextlib.contextmanager
def _line() -> Iterator[None]:
    """Every way in which esptool and pyserial tell a bad line, as one."""
    try:
        yield
    except _LINE_FAULTS as error:
        said = " ".join(str(error).split()) or type(error).__name__
        if any(word in said for word in _REFUSALS):
            raise NoBoard(f"the board cannot be written: {said}") from None
        raise LineLost(said) from error
