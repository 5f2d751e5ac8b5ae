"""Rot where littlefs keeps its own words: superblock and folders. Every wake ends in sleep, and a node comes back by itself.

What it costs differs. A custom image has the firmware frozen. A stock image reads it from that file system; whatever one block
becomes, the other copy of that folder stands in; where both are gone the image mounts nothing and never comes to the firmware.
"""

import random
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from derb_tools.board import WakeResult
from derb_tools.board.image import BLOCK_BYTES
from derb_tools.demo.plan import Ports, make_board

from tests.campaign import SEED, chosen, how_much
from tests.e2e.rig import free_port, planned
from tests.e2e.test_frozen_node import freeze

SUPERBLOCKS = (0, 1)
WAKE_S = 300
WATCHED_MS = 1000 * (WAKE_S + 100)  # of the board's clock: in that time it must have measured
SAMPLE = 5
HOWS = ("bit", "bytes", "cut off", "zeros", "erased")


@dataclass(frozen=True)
class Rot:
    """What becomes of some blocks."""

    blocks: tuple[int, ...]
    how: str
    seed: int

    def spoil(self, flash: bytearray) -> None:
        chance = random.Random(f"{SEED} {self.seed}")
        for block in self.blocks:
            start, end = block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES
            used = len(bytes(flash[start:end]).rstrip(b"\xff")) or 1
            if self.how == "bit":
                flash[start + chance.randrange(used)] ^= 1 << chance.randrange(8)
            elif self.how == "bytes":
                for _ in range(8):
                    flash[start + chance.randrange(used)] = chance.randrange(256)
            elif self.how == "cut off":
                cut = start + chance.randrange(used)
                flash[cut:end] = b"\xff" * (end - cut)
            elif self.how == "zeros":
                flash[start:end] = bytes(BLOCK_BYTES)
            else:
                flash[start:end] = b"\xff" * BLOCK_BYTES


def folder_of(flash: bytes, *names: bytes) -> tuple[int, ...]:
    """The blocks in which a folder that holds such names keeps its entries."""
    blocks = [flash[at : at + BLOCK_BYTES] for at in range(0, len(flash), BLOCK_BYTES)]
    return tuple(
        number
        for number, block in enumerate(blocks)
        if all(name in block for name in names) and b"import " not in block
    )


def rots(*places: tuple[int, ...]) -> list[Rot]:
    found = []
    for seed, blocks in enumerate(places):
        assert blocks, "there is no such folder"
        # Of the two blocks of a folder the newer is in use, and the other stands in for it.
        sets = [(each,) for each in blocks] + ([blocks] if len(blocks) > 1 else [])
        found += [Rot(each, how, seed) for each in sets for how in HOWS]
    return found


class Spoiled:
    """One board that lived through an outage, to be spoiled again and again from there."""

    def __init__(self, folder: Path, frozen: bool) -> None:
        node = planned(folder, 1, "level", wake_s=WAKE_S, hold=0, backoff_max_s=60, health_every_s=86_400)
        self.board = make_board(folder / "boards", node, Ports(free_port(), free_port()), speed=0)
        self.board.site = replace(self.board.site, ap_up=False)
        if frozen:
            freeze(self.board)
        for _ in range(10):
            assert self.board.wake().end == "deepsleep"
        self._kept = {path: path.read_bytes() for path in self.board.dir.iterdir()}
        self._state, self._now_ms = self.board.state, self.board.now_ms

    @property
    def flash(self) -> bytes:
        return self._kept[self.board.flash]

    def after(self, rot: Rot) -> list[WakeResult]:
        """The wakes after such rot; fewer when one of them is the last for ever."""
        for path, content in self._kept.items():
            path.write_bytes(content)
        flash = bytearray(self.flash)
        rot.spoil(flash)
        self.board.flash.write_bytes(flash)
        self.board.state, self.board.now_ms = replace(self._state), self._now_ms
        results: list[WakeResult] = []
        until_ms = self._now_ms + WATCHED_MS
        while self.board.now_ms < until_ms and self.board.next_wake() is not None:
            results.append(self.board.wake())
        return results


def sound(result: WakeResult) -> bool:
    return result.end == "deepsleep" and (result.sleep_ms or 0) > 0 and result.awake_ms < 65_000


def test_a_frozen_node_outlives_any_rot_of_its_file_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Spoiled(tmp_path, frozen=True)
    every = rots(SUPERBLOCKS, folder_of(node.flash, b"s00"))
    tried = chosen(every, SAMPLE, "rot, frozen")
    for rot in tried:
        results = node.after(rot)
        assert node.board.next_wake() is not None, (rot, results[-1])
        assert all(map(sound, results)), (rot, results)
        assert any(result.said("derb safe") for result in results), (
            rot,
            "what it measures is on flash again",
        )
    with capsys.disabled():
        print(
            f"\n  {how_much(len(tried), len(every))} kinds of rot in littlefs's own blocks, firmware frozen: all outlived"
        )


def test_a_node_with_a_stock_image_outlives_rot_of_any_one_block(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Spoiled(tmp_path, frozen=False)
    places = [
        folder_of(node.flash, *names)
        for names in ((b"s00",), (b"wake.py", b"node.py"), (b"hcsr04.py", b"lamp.py"))
    ]
    every = rots(SUPERBLOCKS, *places)
    tried = chosen(every, SAMPLE, "rot, stock")
    outlived = 0
    for rot in tried:
        results = node.after(rot)
        *before, last = results
        assert all(map(sound, before)), (rot, results)
        if len(rot.blocks) == 1:
            assert sound(last), (rot, last)
            assert any(result.said("derb safe") for result in results), (rot, "it goes on")
        # With both copies of a folder gone the image cannot mount anything.
        never_began = not any(line.startswith("derb") for line in last.log)
        assert sound(last) or (last.end == "hang" and never_began), (rot, last)
        outlived += sound(last)
    with capsys.disabled():
        print(
            f"\n  {how_much(len(tried), len(every))} kinds of rot in littlefs's own blocks, stock image: {outlived} outlived,"
            f" {len(tried) - outlived} times the image did not come to the firmware"
        )
    assert outlived
