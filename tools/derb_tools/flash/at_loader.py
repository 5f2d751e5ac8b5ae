"""At a board in its loader: who it is, patience with its cable, and its start."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from derb_tools.errors import NoBoard, NotWhole, PortError
from derb_tools.flash.esp_loader import BAUD, BAUDS, EspChip, Found, ResetMode, connected
from derb_tools.flash.writing import LineLost
from derb_tools.usb_port import is_there

_REPLUG_S = 60.0
_LOOK_S = 0.25
_HOLD_BOOT = (
    "hold BOOT, press RESET, let go of BOOT, and try again; a cable that only charges has no data wires"
)

Tell = Callable[[str], None]


def mode_of(port: str | None) -> ResetMode:
    """How the board at a port is brought into its loader."""
    return "no-reset" if port and "://" in port else "default-reset"


def who(port: str, mode: ResetMode) -> Found:
    """The board. NoBoard that says what to do, PortError."""
    if not is_there(port):
        raise PortError(f"{port}: is not there; plug the board in, or name another with --port")
    try:
        with connected(port, mode) as chip:
            return chip.found()
    except LineLost as lost:
        raise NoBoard(f"no board answers at {port} ({lost}): {_HOLD_BOOT}") from None


@contextlib.contextmanager
def patiently(port: str, mode: ResetMode, tell: Tell, baud: int = BAUD) -> Iterator[EspChip]:
    """The board, waiting for it to be plugged in again."""
    if not is_there(port):
        tell("the cable is out: plug the board in again, it goes on where it stopped")
    until_s = time.monotonic() + _REPLUG_S
    while not is_there(port) and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    with connected(port, mode, baud) as chip:
        yield chip


def again_and_again(port: str, mode: ResetMode, tell: Tell) -> Callable[[], AbstractContextManager[EspChip]]:
    """What connects, one time after the other; slower where the line fails."""
    bauds = itertools.chain(BAUDS, itertools.repeat(BAUDS[-1]))
    return lambda: patiently(port, mode, tell, next(bauds))


def start(port: str, mode: ResetMode) -> None:
    """Let it run what was written. NotWhole when it did not take the reset."""
    try:
        with connected(port, mode) as chip:
            chip.start()
    except LineLost as lost:
        raise NotWhole(
            f"all is written and verified, but the board did not take the reset ({lost}): press RESET"
        ) from None
