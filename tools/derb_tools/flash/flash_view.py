"""The flash of a board in its loader, read as it is needed; a line that fails costs a sector, not all that was read."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from derb_tools.errors import NotRead
from derb_tools.flash.partitions import SECTOR_BYTES
from derb_tools.flash.writing import LINE_FAULTS_BORNE, LineLost

RUN_BYTES = 0x10000  # of one answer, where much is read in a row


class Readable(Protocol):
    """A board in its loader. Raises LineLost."""

    def read(self, offset: int, size: int) -> bytes: ...


Connect = Callable[[], AbstractContextManager[Readable]]


class FlashView:
    """A context manager; every read may raise NotRead. What was read once is not asked for again."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._chip: Readable | None = None
        self._held = contextlib.ExitStack()
        self._sectors: dict[int, bytes] = {}

    def __enter__(self) -> "FlashView":
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on."""
        first, last = offset // SECTOR_BYTES, (offset + size - 1) // SECTOR_BYTES
        missing = [number for number in range(first, last + 1) if number not in self._sectors]
        while missing:
            run = min(RUN_BYTES, (missing[-1] - missing[0] + 1) * SECTOR_BYTES)
            content = self._patiently(missing[0] * SECTOR_BYTES, run)
            for at in range(0, run, SECTOR_BYTES):
                self._sectors[missing[0] + at // SECTOR_BYTES] = content[at : at + SECTOR_BYTES]
            missing = [number for number in missing if number not in self._sectors]
        whole = b"".join(self._sectors[number] for number in range(first, last + 1))
        begin = offset - first * SECTOR_BYTES
        return whole[begin : begin + size]

    def _patiently(self, offset: int, size: int) -> bytes:
        why = ""
        for _ in range(LINE_FAULTS_BORNE):
            try:
                if self._chip is None:
                    self._chip = self._held.enter_context(self._connect())
                return self._chip.read(offset, size)
            except LineLost as lost:
                why = str(lost)
                self._let_go()
        raise NotRead(
            f"the flash could not be read at {offset:#x} ({why}): another cable, another USB port, no hub"
        )

    def _let_go(self) -> None:
        self._chip = None
        with contextlib.suppress(LineLost):
            self._held.close()
