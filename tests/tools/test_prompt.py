"""Getting in and running programs on a node: caught in its window, never run or believed damaged, never waiting for ever."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_tools.errors import LineBroken, NodeRaised, NodeSilent
from derb_tools.knock import Knocker
from derb_tools.prompt import Prompt
from tools.desk import Desk, at_desk, bay_board, lossy, noisy, slow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with at_desk(bay_board(tmp_path), tmp_path) as made:
        yield made


def test_a_sleeping_node_is_caught_in_its_window_and_goes_back_to_work(desk: Desk) -> None:
    with desk.prompt() as prompt:
        prompt.load("selftest")
        assert prompt.call("identity()")["node"] == desk.board.node_id.hex()
    assert [words for words in desk.told if "press reset" in words]
    desk.wait_for(lambda: desk.ends() == ["reset", "deepsleep"])
    assert not [each for result in desk.plugged.results for each in result.violations]


def test_a_node_that_shows_its_prompt_already_needs_no_reset(desk: Desk) -> None:
    desk.leave_a_prompt()
    before = len(desk.told)
    with desk.prompt() as prompt:
        prompt.load("selftest")
    assert len(desk.told) == before


def test_a_program_left_running_and_a_paste_left_open_are_ended(desk: Desk) -> None:
    first = desk.prompt()
    first._transport.exec_raw_no_follow("while True: pass")
    first._port.close()
    second = desk.prompt()
    second._port.write(b"\x05A\x01half a program")
    second._port.close()
    with desk.prompt() as third:
        third.load("selftest")
        assert third.call("1 + 1") == 2


def test_ctrl_c_again_and_again_ends_no_board(desk: Desk) -> None:
    port = desk.prompt()._port
    port.write(b"\x02")
    for each in range(60):
        if each % 20 == 10:
            desk.plugged.press_reset()  # while it starts, too
        port.write(b"while 1: bytearray(200000)\r\r\r")
        time.sleep(each % 7 * 3e-3)
        port.write(b"\x03" * (2 + each % 3))
        port.read(port.inWaiting())
    assert desk.plugged.failure is None
    assert len(desk.plugged.results) >= 3


def test_nobody_at_the_other_end_is_said_in_time(desk: Desk) -> None:
    begun_s = time.monotonic()
    with pytest.raises(NodeSilent, match="Nothing was heard"):
        Prompt.open(desk.port, lambda words: None, 3)
    assert time.monotonic() - begun_s < 6


def test_a_board_that_says_what_is_wrong_with_it_is_understood(desk: Desk) -> None:
    def blank(words: str) -> None:
        desk.cable.say(b"rst:0x1 (POWERON_RESET)\r\ninvalid header: 0xffffffff\r\n")

    with pytest.raises(NodeSilent, match="nothing is flashed"):
        Knocker(desk.port, blank).enter(3)


def test_what_raises_on_the_node_is_told_with_its_traceback(desk: Desk) -> None:
    with desk.prompt() as prompt:
        prompt.load("selftest")
        with pytest.raises(NodeRaised, match="ZeroDivisionError") as raised:
            prompt.call("1 // 0")
        assert "Traceback" in raised.value.traceback
        assert prompt.call("2") == 2


@pytest.mark.parametrize(("harm", "seed"), [(noisy, 2), (lossy, 3)])
def test_over_a_bad_line_an_answer_is_right_or_there_is_none(desk: Desk, harm: object, seed: int) -> None:
    with desk.prompt() as prompt:
        prompt.load("selftest")
        desk.cable.to_board, desk.cable.to_laptop = harm(seed, 500), harm(seed + 100, 500)  # type: ignore[operator]
        right = 0
        with contextlib.suppress(LineBroken):
            for number in range(4):
                assert prompt.call(f"[{number} * i for i in range(40)]", 2) == [number * i for i in range(40)]
                right += 1
        desk.cable.to_board = desk.cable.to_laptop = lambda sent: sent
        assert prompt.call("'whole again'") == "whole again"
    assert right, "not one of 4 calls came through a line that harms one byte in 500"


def test_a_slow_line_takes_longer_and_no_more(desk: Desk) -> None:
    desk.cable.to_board = slow(4000)
    with desk.prompt() as prompt:
        prompt.load("selftest")
        assert prompt.call("identity()")["kind"] == "parking"


def test_a_pulled_cable_ends_the_command(desk: Desk) -> None:
    with desk.prompt() as prompt:
        prompt.load("selftest")
        desk.cable.unplug()
        begun_s = time.monotonic()
        with pytest.raises(LineBroken):
            prompt.call("identity()")
        assert time.monotonic() - begun_s < 5


@pytest.mark.parametrize("command", [["exec", "print(6 * 7)"], ["soft-reset", "exec", "print(6 * 7)"]])
def test_mpremote_itself_finds_a_board_like_any_other(desk: Desk, command: list[str]) -> None:
    desk.leave_a_prompt()
    resume = [] if "soft-reset" in command else ["resume"]
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", desk.port, *resume, *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip().endswith("42"), done


def test_a_port_that_is_not_there_is_said_before_anything_else() -> None:
    told: list[str] = []
    seconds = itertools.count()
    with pytest.raises(NodeSilent, match="Nothing was heard"):
        Knocker("/dev/no-such-port", told.append, lambda: next(seconds)).enter(3)
    assert told[0].startswith("/dev/no-such-port: the port is not there")
