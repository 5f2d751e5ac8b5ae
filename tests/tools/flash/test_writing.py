"""What was written is whole, or the command says that it is not and how to go on, whatever the line does."""

import contextlib
import hashlib
import os
import random
from collections.abc import Iterator

import pytest
from derb_tools.errors import NotWhole
from derb_tools.flash.board_image import BoardImage, Piece
from derb_tools.flash.writing import LINE_FAULTS_BORNE, LineLost, Written, write_image

BEGIN, VFS = 0x1000, 0x80000


def image(seed: int = 1) -> BoardImage:
    chance = random.Random(seed)
    program = chance.randbytes(0x48123)
    files = b"\xff" * 0x3000 + chance.randbytes(0x2000) + b"\xff" * 0x1B000
    whole = (b"\xff" * BEGIN + program).ljust(VFS, b"\xff") + files
    return BoardImage(whole, BEGIN, (VFS, len(files)))


class FakeChip:
    """Flash that keeps what it got, behind a line that breaks when its chance says so."""

    def __init__(self, faults: float = 0.0, seed: int = 1) -> None:
        self.flash = bytearray(os.urandom(0x100000))
        self.faults = faults
        self.chance = random.Random(seed)
        self.writes: list[int] = []
        self.connections = 0
        self.worn: set[int] = set()

    @contextlib.contextmanager
    def connect(self) -> Iterator["FakeChip"]:
        self.connections += 1
        self._line()
        yield self

    def md5(self, offset: int, size: int) -> str:
        self._line()
        return hashlib.md5(self.flash[offset : offset + size]).hexdigest()

    def write(self, piece: Piece) -> None:
        content = piece.content
        if self.chance.random() < self.faults:
            content = content[: self.chance.randrange(len(content))]
        self.flash[piece.offset : piece.offset + len(content)] = content
        if piece.offset in self.worn:
            self.flash[piece.offset] ^= 1
        self.writes.append(piece.offset)
        self._line()

    def erase(self, offset: int, size: int) -> None:
        self._line()
        self.flash[offset : offset + size] = b"\xff" * size

    def _line(self) -> None:
        if self.chance.random() < self.faults:
            raise LineLost("the line is gone")

    def holds(self, wanted: BoardImage) -> bool:
        return all(
            self.flash[piece.offset : piece.offset + len(piece.content)] == piece.content
            for piece in wanted.pieces()
        )

    def starts(self) -> bool:
        return self.flash[BEGIN] != 0xFF


def test_a_good_line_writes_each_piece_once_and_the_loader_last() -> None:
    chip, told = FakeChip(), []
    written = write_image(image(), chip.connect, told.append)
    assert chip.holds(image())
    assert written == Written(image().size, 0, 0)
    assert sum(told) == image().size
    assert chip.writes == [piece.offset for piece in image().pieces()[1:]] + [BEGIN]
    assert chip.connections == 1


def test_what_is_there_already_is_not_written_again() -> None:
    chip = FakeChip()
    write_image(image(), chip.connect)
    chip.writes.clear()
    assert write_image(image(), chip.connect) == Written(0, image().size, 0)
    assert chip.writes == []
    chip.flash[0x20000] ^= 1
    assert write_image(image(), chip.connect).written == 0x10000 + 0xF000, "the piece, and the loader's"
    assert chip.holds(image())


@pytest.mark.parametrize("seed", range(40))
def test_a_bad_line_ends_whole_or_says_so(seed: int) -> None:
    chip = FakeChip(faults=0.02 + seed % 10 * 0.05, seed=seed)
    told = ""
    try:
        write_image(image(), chip.connect)
    except NotWhole as error:
        told = str(error)
    if told:
        assert told.startswith("the board is not whole: ")
        assert told.endswith("run the same command; it goes on where it stopped")
        assert not chip.starts() or "Nothing was changed" in told or "not all was checked" in told
        chip.faults = 0
        write_image(image(), chip.connect)
    assert chip.holds(image())


def test_both_ends_of_a_bad_line_are_tried_above() -> None:
    ends = set()
    for seed in range(12):
        chip = FakeChip(faults=0.02 + seed % 10 * 0.05, seed=seed)
        try:
            write_image(image(), chip.connect)
            ends.add("whole")
        except NotWhole as error:
            ends.add(str(error).partition("). ")[2][:7])
    assert ends >= {"whole", "It does"}


@pytest.mark.parametrize("cut_after", range(0, 27, 3))
def test_a_board_that_is_half_written_does_not_start(cut_after: int) -> None:
    chip = FakeChip()
    write_image(image(7), chip.connect)  # it ran another program before
    calls = 0

    def line() -> None:
        nonlocal calls
        calls += 1
        if calls > cut_after:
            raise LineLost("pulled out")

    chip._line = line  # type: ignore[method-assign]
    with pytest.raises(NotWhole):
        write_image(image(), chip.connect)
    assert chip.holds(image(7)) or chip.holds(image()) or not chip.starts()


def test_a_line_that_is_gone_is_given_up_after_some_tries() -> None:
    chip = FakeChip(faults=1.0)
    with pytest.raises(NotWhole, match=r"0 of \d+ bytes are known to be on it \(the line is gone\)"):
        write_image(image(), chip.connect)
    assert chip.connections == LINE_FAULTS_BORNE


def test_a_worn_flash_is_named() -> None:
    chip = FakeChip()
    chip.worn.add(0x20000)
    with pytest.raises(NotWhole, match=r"the flash at 0x20000 did not hold what was written 3 times"):
        write_image(image(), chip.connect)
