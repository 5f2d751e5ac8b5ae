"""Real esptool against a mock of the chips' loader: every chip is known, and a bad line leaves a whole board or a clear word."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_tools.chips import CHIPS
from derb_tools.errors import NotWhole
from derb_tools.flash.board_image import BoardImage
from derb_tools.flash.esp_loader import connected
from derb_tools.flash.writing import LineLost, write_image

from tests.e2e.bad_line import BadLine, Ill
from tests.e2e.mock_loader import mock_loader, url
from tests.e2e.rig import free_port

# pyserial's socket:// leaves a socket that the peer has reset to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mock_loader("esp32", tmp_path_factory.mktemp("board")) as port:
        yield port


def image(seed: int) -> BoardImage:
    """An image of three pieces, of which nothing compresses."""
    chance = random.Random(seed)
    whole = (b"\xff" * 0x1000 + chance.randbytes(0x12345)).ljust(0x20000, b"\xff") + chance.randbytes(0x3000)
    return BoardImage(whole, 0x1000, (0x20000, 0x3000))


def is_whole(board: int, wanted: BoardImage) -> bool:
    """Asked over a good line, of the board itself."""
    with connected(url(board), "no-reset") as chip:
        return all(chip.md5(piece.offset, len(piece.content)) == piece.md5 for piece in wanted.pieces())


@pytest.mark.parametrize("chip", CHIPS)
def test_a_board_says_its_chip_its_id_and_its_flash(chip: str, tmp_path: Path) -> None:
    with mock_loader(chip, tmp_path) as port, connected(url(port), "no-reset") as loader:
        found = loader.found()
    assert (found.chip, found.flash_bytes) == (chip, 4 << 20)
    assert len(found.node) == 12
    assert found.node.startswith("240ac4")


@pytest.mark.parametrize(
    ("seed", "ills"),
    [(1, ["cut", "cut"]), (2, ["drop", "drop"]), (3, ["stall"])],
    ids=["cut", "drops", "stalls"],
)
def test_a_line_that_fails_now_and_then_costs_time_only(seed: int, ills: list[Ill], board: int) -> None:
    wanted = image(seed)
    with BadLine(board, ills, seed) as line:
        written = write_image(wanted, lambda: connected(line.url, "no-reset"))
    assert line.befell == ills
    assert written.lost >= ills.count("cut"), "what the line only garbled, esptool says again by itself"
    assert is_whole(board, wanted)


def test_a_second_run_goes_on_where_the_first_stopped(board: int) -> None:
    wanted = image(9)
    with BadLine(board) as line:
        done = []

        def pull_the_cable(count: int) -> None:
            done.append(count)
            line.close()

        with pytest.raises(NotWhole, match="It does not start like this"):
            write_image(wanted, lambda: connected(line.url, "no-reset"), pull_the_cable)
    assert not is_whole(board, wanted)
    again = write_image(wanted, lambda: connected(url(board), "no-reset"))
    assert again.found >= done[0] > 0
    assert again.written == wanted.size - again.found
    assert is_whole(board, wanted)


def test_nobody_at_the_other_end_is_a_lost_line() -> None:
    with pytest.raises(LineLost), connected(url(free_port()), "no-reset"):
        pass
