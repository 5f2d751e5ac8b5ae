"""A USB serial cable: the board's console on one pseudo-terminal, the laptop's port on another, and what happens between.

The board's end is always there, as a UART is. The laptop's end comes and goes with the plug; `port` is a link to it that
is there while it is plugged in, as in /dev/serial/by-id.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import termios
import threading
import tty
from collections import Counter
from collections.abc import Callable
from pathlib import Path

CONSOLE_BYTES = 260  # the buffer behind sys.stdin of the ESP32 port; what comes when it is full is lost

_CTRL_C = b"\x03"
_READ_BYTES = 4096
_POLL_MS = 100

Damage = Callable[[bytes], bytes]


def _unharmed(sent: bytes) -> bytes:
    return sent


class _Pair:
    """A pseudo-terminal in raw mode, whose far end is kept open so that it never hangs up by itself."""

    def __init__(self) -> None:
        self.near, self.far = os.openpty()
        tty.setraw(self.far)
        os.set_blocking(self.near, False)
        self.path = Path(os.ttyname(self.far))

    def unread(self) -> int:
        """How many bytes wait for the reader at the far end."""
        count = array.array("i", [0])
        fcntl.ioctl(self.far, termios.FIONREAD, count)
        return count[0]

    def close(self) -> None:
        os.close(self.near)
        os.close(self.far)


class UsbCable:
    """A context manager; plugged in from the start.

    `to_board` and `to_laptop` may be set to functions that damage what passes. `interrupt()` is asked at each Ctrl-C and
    returns whether the board took it at once; if not, it waits in the console as any byte. `counts`: `to_board`,
    `to_laptop` in bytes, `overrun` (the console was full), `unplugged` and `unread` (nobody took it).
    """

    def __init__(self, port: Path) -> None:
        self.port = port
        self.to_board: Damage = _unharmed
        self.to_laptop: Damage = _unharmed
        self.interrupt: Callable[[], bool] = lambda: False
        self.counts: Counter[str] = Counter()
        self._board = _Pair()
        self._laptop: _Pair | None = None
        self._lock = threading.Lock()
        self._bell_read, self._bell = os.pipe()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="derb-usb", daemon=True)

    @property
    def console(self) -> Path:
        """The terminal for the board."""
        return self._board.path

    @property
    def plugged(self) -> bool:
        return self._laptop is not None

    def __enter__(self) -> UsbCable:
        self.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._ring()
        self._thread.join()
        self.unplug()
        self._board.close()
        os.close(self._bell_read)
        os.close(self._bell)

    def plug(self) -> None:
        """Put it in: the laptop sees a new port."""
        with self._lock:
            if self._laptop is None:
                self._laptop = _Pair()
                self.port.symlink_to(self._laptop.path)
        self._ring()

    def unplug(self) -> None:
        """Pull it: whoever has the port open sees it hang up."""
        with self._lock:
            if self._laptop is not None:
                self.port.unlink()
                self._laptop.close()
                self._laptop = None
        self._ring()

    def unread(self) -> int:
        """How many bytes wait at the laptop's port for somebody to read them."""
        with self._lock:
            return 0 if self._laptop is None else self._laptop.unread()

    def say(self, sent: bytes) -> None:
        """Pass to the laptop what the chip says before or beside its firmware."""
        with self._lock:
            self._give_laptop(self.to_laptop(sent))

    def type_in(self, keys: bytes) -> None:
        """Put keys into the board's console; to be called by what damages bytes on their way to the laptop."""
        self._fill_console(keys)

    def _ring(self) -> None:
        os.write(self._bell, b".")

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                ends = [self._board.near] + ([] if self._laptop is None else [self._laptop.near])
            poller = select.poll()
            for fd in (self._bell_read, *ends):
                poller.register(fd, select.POLLIN)
            ready = {fd for fd, _ in poller.poll(_POLL_MS)}
            if self._bell_read in ready:
                os.read(self._bell_read, _READ_BYTES)
            with self._lock:
                self._carry(ready)

    def _carry(self, ready: set[int]) -> None:
        if self._board.near in ready:
            self._give_laptop(self.to_laptop(_read(self._board.near)))
        if self._laptop is not None and self._laptop.near in ready:
            self._give_board(self.to_board(_read(self._laptop.near)))

    def _give_laptop(self, sent: bytes) -> None:
        if self._laptop is None:
            self.counts["unplugged"] += len(sent)
            return
        taken = _write(self._laptop.near, sent)
        self.counts["to_laptop"] += taken
        self.counts["unread"] += len(sent) - taken

    def _give_board(self, sent: bytes) -> None:
        *before, rest = sent.split(_CTRL_C)
        for part in before:
            self._fill_console(part if self.interrupt() else part + _CTRL_C)
        self._fill_console(rest)

    def _fill_console(self, sent: bytes) -> None:
        room = max(0, CONSOLE_BYTES - self._board.unread())
        taken = _write(self._board.near, sent[:room])
        self.counts["to_board"] += taken
        self.counts["overrun"] += len(sent) - taken


def _read(fd: int) -> bytes:
    with contextlib.suppress(OSError):  # the plug was pulled between the poll and here
        return os.read(fd, _READ_BYTES)
    return b""


def _write(fd: int, sent: bytes) -> int:
    if not sent:
        return 0
    try:
        return os.write(fd, sent)
    except BlockingIOError:
        return 0
