"""Calibration at a cable: an empty place is learnt, an unsteady one is not, and whatever interrupts it the settings are whole."""

from __future__ import annotations

import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from campaign import size
from derb_tools.board import HcSr04, SimBoard
from derb_tools.calibrate import NotSteady, learn_bay, measure
from derb_tools.errors import ToolError
from derb_tools.signal_picture import WIDTH, picture, sparkline
from derb_tools.steadiness import ROUNDS, Depth, Field
from gateway.kit import DEADLINE_S
from tools.board.tiny import write_echo, write_mag
from tools.desk import EARTH, SETTINGS, at_desk, bay_board, noisy

LEVEL = {**SETTINGS, "kind": "level"}


def container_board(folder: Path, echoes_us: list[list[int]]) -> SimBoard:
    recording = write_echo(folder / "bin.echo", [(2000, echoes) for echoes in echoes_us])
    return bay_board(folder, config=LEVEL, sensors=[HcSr04(recording)])


def settings_of(board: SimBoard) -> dict[str, Any]:
    cfg = board.nvs()["derb"]["cfg"]
    assert isinstance(cfg, bytes)
    settings: dict[str, Any] = json.loads(cfg)
    return settings


def test_an_empty_bay_is_learnt_and_outlives_a_loss_of_power(tmp_path: Path) -> None:
    board = bay_board(tmp_path)
    with at_desk(board, tmp_path) as desk:
        done = desk.derb("calibrate", "--json", typed="\n")
        assert done.returncode == 0, done.stderr
        assert "no car in the bay" in done.stderr
        desk.wait_for(lambda: desk.ends()[-1:] == ["deepsleep"])
    result = json.loads(done.stdout)
    assert result["state"] == "free"
    assert abs(result["field_nt"][0] - EARTH[0]) < 500
    assert isinstance(board.nvs()["derb"]["bay"], bytes)


def test_an_empty_container_is_measured_and_written(tmp_path: Path) -> None:
    board = container_board(tmp_path, [[9300] * 15] * 400)
    with at_desk(board, tmp_path) as desk:
        done = desk.derb("calibrate", "--empty", "--full-mm", "300")
        assert done.returncode == 0, done.stderr
    written = settings_of(board)
    assert written == {**LEVEL, "empty_mm": written["empty_mm"], "full_mm": 300}
    assert abs(written["empty_mm"] - 1597) <= 10
    assert f"empty_mm = {written['empty_mm']}" in done.stdout


def test_what_is_not_said_to_be_empty_is_not_learnt(tmp_path: Path) -> None:
    with at_desk(bay_board(tmp_path), tmp_path) as desk:
        done = desk.derb("calibrate")
        refused = desk.derb("calibrate", typed="n\n")
        mistaken = desk.derb("calibrate", "--empty", "--full-mm", "250")
    assert done.returncode == 2
    assert "--empty" in done.stderr
    assert refused.returncode == 1
    assert "'n' is no yes: empty it first, and calibrate again; nothing was written" in refused.stderr
    assert mistaken.returncode == 2
    assert "--full-mm is of a container" in mistaken.stderr


def test_a_bay_in_which_something_moves_is_not_learnt(tmp_path: Path) -> None:
    board = bay_board(tmp_path)
    moving = [(EARTH[0] + 9000 * (i % 3), *EARTH[1:]) for i in range(4_000)]
    write_mag(tmp_path / "bay.mag", moving)
    with at_desk(board, tmp_path) as desk, desk.prompt() as prompt:
        prompt.load("calibrate")
        prompt.call("settings()")
        drawn: list[str] = []
        with pytest.raises(NotSteady, match="nothing was written"):
            learn_bay(prompt, 1, drawn.append)
        assert drawn[-1].count("\n") == 2
        assert "bay" not in board.nvs()["derb"]  # at work it remembers the bay by itself


@pytest.mark.parametrize(
    ("echoes", "refusal", "message"),
    [([[-2] * 15] * 400, NotSteady, "did not agree"), ([[1500] * 15] * 400, ToolError, "is it empty")],
)
def test_a_container_that_is_no_empty_one_is_not_written(
    tmp_path: Path, echoes: list[list[int]], refusal: type[ToolError], message: str
) -> None:
    board = container_board(tmp_path, echoes)
    before = settings_of(board)
    with at_desk(board, tmp_path) as desk, desk.prompt() as prompt:
        prompt.load("calibrate")
        settings = prompt.call("settings()")
        with pytest.raises(refusal, match=message):
            measure(prompt, settings, None, 1.5, lambda _: None)
    assert settings_of(board) == before


def test_on_a_terminal_the_signal_is_drawn_while_it_comes(tmp_path: Path) -> None:
    with at_desk(bay_board(tmp_path), tmp_path) as desk:
        desk.leave_a_prompt()
        near, terminal = pty.openpty()
        command = [sys.executable, "-m", "derb_tools.cli", "calibrate", "--empty", "--port", desk.port]
        drawn = b""
        with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal) as process:
            os.close(terminal)
            while select.select([near], [], [], DEADLINE_S)[0]:
                try:
                    drawn += os.read(near, 4096)
                except OSError:  # the last end of the terminal is closed
                    break
            assert process.wait(DEADLINE_S) == 0, drawn
        os.close(near)
    text = drawn.decode()
    assert text.count("spread") > 6
    assert set("▁▂▃▄▅▆▇█") & set(text)
    assert "learnt as free" in text


def test_a_noisy_line_changes_nothing_in_what_is_written(tmp_path: Path) -> None:
    board = container_board(tmp_path, [[9300] * 15] * 900)
    with at_desk(board, tmp_path) as desk, desk.prompt() as prompt:
        desk.cable.to_board, desk.cable.to_laptop = noisy(3, 2500), noisy(4, 2500)
        prompt.load("calibrate")
        settings = prompt.call("settings()")
        measure(prompt, settings, None, 60, lambda _: None)
        desk.cable.to_board = desk.cable.to_laptop = lambda sent: sent
    written = settings_of(board)
    assert {**written, "empty_mm": 0} == {**LEVEL, "empty_mm": 0, "full_mm": 250}
    assert abs(written["empty_mm"] - 1597) <= 10


def test_interrupted_at_random_bytes_the_settings_are_the_old_or_the_new(tmp_path: Path) -> None:
    board = container_board(tmp_path, [[9300] * 15] * 4000)
    chance = random.Random(12)
    seen = set()
    with at_desk(board, tmp_path) as desk:
        for _ in range(size(12, 2)):
            end_at = desk.cable.counts["to_board"] + chance.randrange(5000, 11_000)
            with desk.running(
                "calibrate", "--empty", "--full-mm", str(chance.randrange(200, 400))
            ) as process:
                while process.poll() is None and desk.cable.counts["to_board"] < end_at:
                    time.sleep(0.002)
                process.send_signal(chance.choice([signal.SIGINT, signal.SIGKILL]))
                process.wait(DEADLINE_S)
            written = settings_of(board)
            assert set(written) in ({*LEVEL}, {*LEVEL, "empty_mm", "full_mm"})
            assert abs(written.get("empty_mm", 1597) - 1597) <= 10
            seen.add(written.get("full_mm"))
        done = desk.derb("calibrate", "--empty", "--full-mm", "222")
        assert done.returncode == 0, done.stderr
    assert settings_of(board)["full_mm"] == 222
    print(f"after the interruptions full_mm had been {seen}")


def test_steadiness_asks_for_rounds_in_a_row() -> None:
    depth = Depth()
    for _ in range(ROUNDS - 1):
        depth.take([9300] * 9, 2000)
    assert depth.steady_mm is None
    depth.take([-1] * 9, 2000)
    assert depth.rounds_mm == []
    for _ in range(ROUNDS):
        depth.take([9300] * 9, 2000)
    assert depth.steady_mm is not None
    field = Field()
    field.take([(1, 2, 3)] * 40)
    assert not field.quiet, "a chip without noise is stuck"
    field.take([(29000 + 100 * (i % 5), 0, 30000) for i in range(12)])
    assert field.quiet
    field.take([(36000, 0, 30000)])
    assert not field.quiet


def test_the_picture_is_one_line_as_wide_as_it_should_be() -> None:
    assert sparkline([0, 5, 10, 99, -99], 0, 10) == "▁▅█" + "█▁"
    line = picture("x", [float(i) for i in range(100)], "nT", 10)
    assert "\n" not in line
    assert sum(each in "▁▂▃▄▅▆▇█" for each in line) == WIDTH
    assert "waiting" in picture("x", [], "nT", 10)
