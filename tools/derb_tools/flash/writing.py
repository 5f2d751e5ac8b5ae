"""Writes an image piece by piece: a line that drops bytes or is pulled out costs a piece, not the board. No hardware here.

The piece with the loader is made blank first and written last: a board that is not whole does not start.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from derb_tools.errors import NotWhole
from derb_tools.flash.board_image import BoardImage, Piece
from derb_tools.flash.partitions import SECTOR_BYTES

LINE_FAULTS_BORNE = 5  # in a row, without one new piece on the board
_WRONG_CONTENTS_BORNE = 3


class LineLost(Exception):
    """The board does not answer any more, or answered nonsense: connect again."""


class Chip(Protocol):
    """A board in its loader. Every method raises LineLost."""

    def md5(self, offset: int, size: int) -> str: ...

    def write(self, piece: Piece) -> None: ...

    def erase(self, offset: int, size: int) -> None: ...


Connect = Callable[[], AbstractContextManager[Chip]]
Told = Callable[[int], None]
"""Called with how many bytes more are on the board."""


@dataclass
class Written:
    """What came of it: bytes written, bytes that were there already, and how often the line was lost."""

    written: int = 0
    found: int = 0
    lost: int = 0


def write_image(image: BoardImage, connect: Connect, told: Told = lambda _: None) -> Written:
    """Write it, going on after every fault of the line; `connect` waits for the board. NotWhole when that did not help."""
    job = _Job(image, told)
    faults = 0
    while job.waiting or not job.checked:
        done_before = job.done
        try:
            with connect() as chip:
                job.go_on(chip)
        except LineLost as lost:
            job.written.lost += 1
            faults = faults + 1 if job.done == done_before else 1
            if faults >= LINE_FAULTS_BORNE:
                raise NotWhole(_how_to_go_on(job, str(lost))) from None
    return job.written


class _Job:
    """What is still to be written; survives every connection."""

    def __init__(self, image: BoardImage, told: Told) -> None:
        self.pieces = image.pieces()
        self.waiting = [*self.pieces[1:], self.pieces[0]]
        self.checked = False
        self.written = Written()
        self._told = told
        self._wrong: dict[int, int] = {}
        self._held_back = False
        self._loader_begun = False

    @property
    def done(self) -> int:
        """Bytes that are known to be on the board."""
        return self.written.written + self.written.found

    @property
    def total(self) -> int:
        return sum(len(piece.content) for piece in self.pieces)

    def state(self) -> str:
        """In words, what becomes of the board if it is left as it is."""
        if not self._held_back:
            return "Nothing was changed on it"
        if self._loader_begun:
            return "All was written, but not all was checked"
        return "It does not start like this, and nothing is lost"

    def go_on(self, chip: Chip) -> None:
        while self.waiting:
            self._place(chip, self.waiting[0])
            self._told(len(self.waiting.pop(0).content))
        wrong = list(self._differing(chip))
        if wrong:
            self.waiting = wrong
            self.written.written -= sum(len(piece.content) for piece in wrong)
            return
        self.checked = True

    def _place(self, chip: Chip, piece: Piece) -> None:
        size = len(piece.content)
        if chip.md5(piece.offset, size) == piece.md5:
            self.written.found += size
        else:
            self._hold_back(chip)
            self._loader_begun = piece is self.pieces[0]
            chip.write(piece)
            if chip.md5(piece.offset, size) != piece.md5:
                self._count_wrong(piece)
                raise LineLost(f"the flash at {piece.offset:#x} does not hold what was written")
            self.written.written += size

    def _hold_back(self, chip: Chip) -> None:
        """Before anything changes, see that the board does not start half old and half new."""
        if not self._held_back:
            chip.erase(self.pieces[0].offset, SECTOR_BYTES)
            self._held_back = True

    def _count_wrong(self, piece: Piece) -> None:
        self._wrong[piece.offset] = self._wrong.get(piece.offset, 0) + 1
        if self._wrong[piece.offset] >= _WRONG_CONTENTS_BORNE:
            raise NotWhole(
                f"the flash at {piece.offset:#x} did not hold what was written {_WRONG_CONTENTS_BORNE} times: "
                "the chip is worn or badly fed. The board is not whole and does not start; "
                "try another cable or USB port, then another board"
            )

    def _differing(self, chip: Chip) -> Iterator[Piece]:
        for piece in self.pieces:
            if chip.md5(piece.offset, len(piece.content)) != piece.md5:
                self._count_wrong(piece)
                yield piece


def _how_to_go_on(job: _Job, why: str) -> str:
    return (
        f"the board is not whole: {job.done} of {job.total} bytes are known to be on it ({why}). {job.state()}: plug it in "
        "again, hold BOOT while you press RESET if it has the buttons, and run the same command; it goes on where it stopped"
    )
