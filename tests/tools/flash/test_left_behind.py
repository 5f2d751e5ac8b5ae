"""A node whose program is gone still gives its readings: out of its bare flash, signed with its own key."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import pytest
from derb_gateway.frame import decode_uplink
from derb_tools.errors import NothingToPull, NotRead
from derb_tools.flash.flash_pull import pulled_from_flash
from derb_tools.flash.flash_view import FlashView
from derb_tools.flash.left_behind import LeftBehind, left_behind
from derb_tools.flash.nvs import nvs_bytes
from derb_tools.flash.partitions import SECTOR_BYTES, TABLE_AT, partition, table_bytes
from derb_tools.flash.writing import LineLost
from gateway.kit import StillClock
from tools.board.tiny import KEY
from tools.test_pull import dead_node

NODE = "240ac4a1b2c3"
LOADER_AT, NVS_AT, NVS_BYTES, VFS_AT = 0x1000, 0x9000, 0x6000, 0x200000

Identities = set[tuple[int, int]]


class BareFlash:
    """A board in its loader; of its answers the line loses one in so many."""

    def __init__(self, content: bytes, one_in: int = 0) -> None:
        self.content = content
        self.one_in = one_in
        self.chance = random.Random(6)
        self.bytes_read = 0

    @contextlib.contextmanager
    def connect(self) -> Iterator[BareFlash]:
        yield self

    def read(self, offset: int, size: int) -> bytes:
        if self.one_in and self.chance.randrange(self.one_in) == 0:
            raise LineLost("no answer")
        self.bytes_read += size
        assert offset + size <= len(self.content)
        return self.content[offset : offset + size]


def flash_of(vfs: bytes, entries: dict[str, int | bytes], program: bytes = b"\xe9program") -> bytes:
    """A whole flash: what a loader begins with, a partition table, NVS and a file system."""
    places = {"nvs": (NVS_AT, NVS_BYTES), "vfs": (VFS_AT, len(vfs))}
    parts = {
        LOADER_AT: program,
        TABLE_AT: table_bytes([partition(key, *place) for key, place in places.items()]),
        NVS_AT: nvs_bytes({"derb": entries} if entries else {}, NVS_BYTES),
        VFS_AT: vfs,
    }
    whole = bytearray(b"\xff" * (VFS_AT + len(vfs)))
    for offset, content in parts.items():
        whole[offset : offset + len(content)] = content
    return bytes(whole)


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Identities]:
    """The file system of a node that found no network for days, and what it kept there."""
    board, kept = dead_node(tmp_path_factory.mktemp("dead"))
    return board.flash.read_bytes(), kept


def look(flash: BareFlash) -> LeftBehind | None:
    with FlashView(flash.connect) as view:
        return left_behind(view, "esp32")


def identities(flash: BareFlash) -> list[tuple[int, int]]:
    """Of every reading in the pull file, each frame checked with the node's key as the gateway does."""
    left = look(flash)
    assert left is not None
    pulled = pulled_from_flash(NODE, left, StillClock())
    uplinks = [decode_uplink(NODE, KEY, bytes.fromhex(frame["hex"])) for frame in pulled["frames"]]
    found = [(uplink.boot, reading.sequence) for uplink in uplinks for reading in uplink.readings]
    assert len(found) == pulled["readings"]
    return found


@pytest.mark.parametrize("one_in", [0, 4], ids=["a good line", "a line that loses answers"])
def test_everything_that_was_safe_on_flash_comes_out_once(
    dead: tuple[bytes, Identities], one_in: int
) -> None:
    flash = BareFlash(flash_of(dead[0], {"key": KEY, "boot": 3}), one_in)
    assert sorted(identities(flash)) == sorted(dead[1])
    assert flash.bytes_read < len(dead[0]) // 4, "only what is needed is read"


def test_the_ages_are_those_that_the_node_would_tell(dead: tuple[bytes, Identities]) -> None:
    left = look(BareFlash(flash_of(dead[0], {"key": KEY})))
    assert left is not None
    pulled = pulled_from_flash(NODE, left, StillClock())
    uplinks = [decode_uplink(NODE, KEY, bytes.fromhex(frame["hex"])) for frame in pulled["frames"]]
    assert all(uplink.age_is_bound for uplink in uplinks), "it never learnt the time"
    assert pulled["health"]["file_system"] == "whole"
    assert pulled["health"]["damaged_bytes"] == 0
    assert pulled["health"]["files"]["/main.py"] > 0


def test_a_file_system_that_cannot_be_mounted_still_gives_every_reading(
    dead: tuple[bytes, Identities],
) -> None:
    ruined = b"\x55" * 2 * SECTOR_BYTES + dead[0][2 * SECTOR_BYTES :]
    flash = BareFlash(flash_of(ruined, {"key": KEY}))
    found = identities(flash)
    assert set(found) >= dead[1], "older copies of what has a receipt may come too; the gateway knows them"
    assert len(found) == len(set(found))
    left = look(flash)
    assert left is not None
    assert pulled_from_flash(NODE, left, StillClock())["health"]["file_system"] == "damaged"


def test_rot_anywhere_costs_readings_at_most_and_makes_none_up(dead: tuple[bytes, Identities]) -> None:
    chance = random.Random(8)
    everything = set(identities(BareFlash(flash_of(b"\0" * 8192 + dead[0][8192:], {"key": KEY}))))
    used = [
        at for at in range(0, len(dead[0]), SECTOR_BYTES) if dead[0][at : at + SECTOR_BYTES].strip(b"\xff")
    ]
    for _ in range(12):
        rotten = bytearray(dead[0])
        for block in chance.sample(used, 3):
            at = block + chance.randrange(SECTOR_BYTES - 64)
            rotten[at : at + 64] = chance.randbytes(64)
        assert set(identities(BareFlash(flash_of(bytes(rotten), {"key": KEY})))) <= everything


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 0x400000,
        random.Random(3).randbytes(0x10000).ljust(0x400000, b"\xff"),
        flash_of(b"\xff" * 0x10000, {}),
        flash_of(random.Random(4).randbytes(0x10000), {}),
    ],
    ids=["blank", "another program", "stock MicroPython at its first start", "a file system of another kind"],
)
def test_a_board_that_was_no_node_has_nothing_left(content: bytes) -> None:
    assert look(BareFlash(content)) is None


def test_a_board_that_is_half_flashed_is_not_looked_at_again(dead: tuple[bytes, Identities]) -> None:
    assert look(BareFlash(flash_of(dead[0], {"key": KEY}, program=b""))) is None


def test_readings_without_a_key_are_said_and_not_made_into_a_file(dead: tuple[bytes, Identities]) -> None:
    left = look(BareFlash(flash_of(dead[0], {"boot": 3})))
    assert left is not None
    with pytest.raises(NothingToPull, match=rf"holds {len(dead[1])} readings, and no key"):
        pulled_from_flash(NODE, left, StillClock())


def test_a_line_that_never_answers_is_said(dead: tuple[bytes, Identities]) -> None:
    with pytest.raises(NotRead, match=r"could not be read at 0x8000 \(no answer\)"):
        look(BareFlash(flash_of(dead[0], {"key": KEY}), one_in=1))


def test_a_line_that_dies_in_the_middle_of_the_file_system_is_said(dead: tuple[bytes, Identities]) -> None:
    flash = BareFlash(flash_of(dead[0], {"key": KEY}))
    whole = flash.read

    def dies(offset: int, size: int) -> bytes:
        if offset >= VFS_AT + 4 * SECTOR_BYTES:
            raise LineLost("the cable is out")
        return whole(offset, size)

    flash.read = dies  # type: ignore[method-assign]
    with pytest.raises(NotRead, match="the cable is out"):
        look(flash)
