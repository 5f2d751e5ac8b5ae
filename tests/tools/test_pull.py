"""What a dead node holds comes out whole, over good and bad lines, and the node keeps all of it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from campaign import size
from derb_gateway.frame import decode_uplink
from derb_gateway.pulled_file import read_pulled
from derb_tools.board import HcSr04, SimBoard, Site
from derb_tools.errors import LineBroken
from derb_tools.pull import described, pull_node
from derb_tools.pull_file import keep_pulled
from derb_tools.whole_file import write_whole
from gateway.kit import DEADLINE_S, StillClock
from tools.board.tiny import KEY, write_echo
from tools.desk import SETTINGS, Desk, at_desk, bay_board, noisy, slow

WAKES, LEAST = 24, 10


def dead_node(folder: Path) -> tuple[SimBoard, set[tuple[int, int]]]:
    """A container node that found no network for days, and the readings that it kept on flash."""
    echoes = write_echo(folder / "bin.echo", [(2000, [8000 - 40 * i] * 15) for i in range(80)], 300_000)
    settings = {**SETTINGS, "kind": "level", "log": 1, "awake_ms": 2000, "backoff_max_s": 300, "hold": 0}
    board = bay_board(folder, config=settings, sensors=[HcSr04(echoes)], site=Site(ap_up=False), speed=0)
    kept: set[tuple[int, int]] = set()
    for _ in range(WAKES):
        for line in board.wake().log:
            words = line.split()
            if words[:2] == ["derb", "safe"]:
                kept.add((int(words[2]), int(words[3])))
    board.speed = 12
    return board, kept


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[tuple[int, int]]]:
    folder = tmp_path_factory.mktemp("dead")
    _, kept = dead_node(folder)
    return folder, kept


@pytest.fixture
def board(dead: tuple[Path, set[tuple[int, int]]], tmp_path: Path) -> SimBoard:
    """A copy of the dead node, as it is found: nobody knows for how long it had no power."""
    folder, _ = dead
    shutil.copytree(folder / "board", tmp_path / "board")
    board = SimBoard(tmp_path / "board", Path("unused"), node_id=bytes.fromhex("240ac4a1b2c3"), speed=6)
    board.power_cut()
    return board


def identities(path: Path) -> list[tuple[int, int]]:
    pulled = read_pulled(path)
    uplinks = [decode_uplink(pulled.node, KEY, raw) for raw in pulled.raw()]
    return [(uplink.boot, reading.sequence) for uplink in uplinks for reading in uplink.readings]


def pull(desk: Desk, out: Path) -> None:
    done = desk.derb("pull", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "derb gateway take" in done.stdout


def test_everything_that_was_safe_on_flash_comes_out_once_signed_by_the_node(
    board: SimBoard, dead: tuple[Path, set[tuple[int, int]]], tmp_path: Path
) -> None:
    with at_desk(board, tmp_path) as desk:
        pull(desk, tmp_path / "node.json")
        desk.wait_for(lambda: desk.ends()[:1] == ["reset"])
        again = desk.derb("pull", "--out", tmp_path / "node.json")
    found = identities(tmp_path / "node.json")
    assert sorted(found) == sorted(dead[1])
    assert len(found) >= LEAST
    assert KEY.hex() not in (tmp_path / "node.json").read_text()
    assert again.returncode == 2
    assert "never written over" in again.stderr


def test_what_is_read_is_told_in_words(
    board: SimBoard, dead: tuple[Path, set[tuple[int, int]]], tmp_path: Path
) -> None:
    with at_desk(board, tmp_path) as desk, desk.prompt() as prompt:
        pulled = pull_node(prompt, StillClock())
    lines = described(pulled)
    assert len(lines) == pulled["readings"] + 2
    assert sum("distance_mm" in line for line in lines) >= LEAST - 2
    assert sum("at least" in line for line in lines) == pulled["readings"], "it never learnt the time"
    assert pulled["health"]["files"]["/main.py"] > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_over_a_noisy_line_it_is_all_there_or_there_is_no_file(
    board: SimBoard, dead: tuple[Path, set[tuple[int, int]]], tmp_path: Path, seed: int
) -> None:
    with at_desk(board, tmp_path) as desk:
        with desk.prompt() as prompt:
            desk.cable.to_board, desk.cable.to_laptop = noisy(seed, 3000), noisy(seed + 9, 3000)
            try:
                pulled = pull_node(prompt, StillClock())
            except LineBroken:
                pulled = None
            desk.cable.to_board = desk.cable.to_laptop = lambda sent: sent
            if pulled is None:
                pulled = pull_node(prompt, StillClock())
        write_whole(tmp_path / "node.json", json.dumps(pulled))
    assert sorted(identities(tmp_path / "node.json")) == sorted(dead[1])


def test_interrupted_at_random_bytes_it_leaves_no_half_file_and_the_node_loses_nothing(
    board: SimBoard, dead: tuple[Path, set[tuple[int, int]]], tmp_path: Path
) -> None:
    chance = random.Random(6)
    with at_desk(board, tmp_path) as desk:
        for turn in range(size(12, 2)):
            left = tmp_path / f"{turn}.json"
            end_at = desk.cable.counts["to_board"] + chance.randrange(20, 9000)
            with desk.running("pull", "--out", left) as process:
                while process.poll() is None and desk.cable.counts["to_board"] < end_at:
                    time.sleep(0.002)
                process.send_signal(chance.choice([signal.SIGINT, signal.SIGKILL]))
                process.wait(DEADLINE_S)
            assert not left.exists() or set(identities(left)) >= dead[1]
        pull(desk, tmp_path / "whole.json")
    assert set(identities(tmp_path / "whole.json")) >= dead[1]


def test_a_slow_line_is_only_slow(
    board: SimBoard, dead: tuple[Path, set[tuple[int, int]]], tmp_path: Path
) -> None:
    with at_desk(board, tmp_path) as desk:
        desk.cable.to_board = slow(5000)
        pull(desk, tmp_path / "node.json")
    assert sorted(identities(tmp_path / "node.json")) == sorted(dead[1])


def test_without_a_name_the_file_has_the_node_and_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pulled = {"node": "240ac4a1b2c3", "frames_at": "2026-11-22T19:00:00.000Z"}
    assert keep_pulled(pulled) == Path("240ac4a1b2c3-20261122T190000000Z.json")
    assert json.loads(keep_pulled(pulled, tmp_path / "mine.json").read_text()) == pulled
