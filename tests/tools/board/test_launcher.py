"""MicroPython is found, forked and ended for certain; a supervisor that dies leaves nothing running."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from derb_tools.board import NoMicroPython, WakeResult
from tools.board.tiny import MakeBoard

BOARD_FOR_EVER = """
import sys
from pathlib import Path
from derb_tools.board import SimBoard

board = SimBoard(Path(sys.argv[1]) / "board", Path(sys.argv[2]), node_id=bytes(6), speed=1)
board.factory()
board.wake(on_line=lambda line: print(line, flush=True))
"""
UNIX_MICROPYTHON = str(Path(sys.executable).with_name("micropython"))


def test_a_named_micropython_is_run(make_board: MakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROPYTHON", UNIX_MICROPYTHON)
    board = make_board("import machine\nprint('hello')\nmachine.deepsleep(1000)")
    result = board.wake()
    assert (result.end, result.log) == ("deepsleep", ["hello"])


def test_a_micropython_that_is_not_there_is_named(
    make_board: MakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make_board("")
    monkeypatch.setenv("MICROPYTHON", "/nowhere/micropython")
    with pytest.raises(NoMicroPython, match="/nowhere/micropython"):
        board.wake()


def test_both_ways_to_start_come_to_the_same(make_board: MakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
        import machine, os, random
        with open("count", "a") as file:
            file.write("x")
        print(os.stat("count")[6], random.getrandbits(16), machine.reset_cause())
        machine.deepsleep(10_000)
    """

    def life(name: str) -> list[WakeResult]:
        board = make_board(source, name)
        return [board.wake(now_ms=number * 20_000) for number in range(3)]

    forked = life("forked")
    monkeypatch.setenv("MICROPYTHON", UNIX_MICROPYTHON)
    plain = life("plain")
    assert [each.log for each in forked] == [each.log for each in plain]
    assert [each.block_writes for each in forked] == [each.block_writes for each in plain]


def processes_of(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, IndexError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize("program", ["", UNIX_MICROPYTHON])
def test_a_killed_supervisor_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setenv("MICROPYTHON", program)
    firmware = tmp_path / "firmware"
    firmware.mkdir()
    (firmware / "main.py").write_text("import time\nwhile True:\n    print('awake')\n    time.sleep_ms(20)\n")
    supervisor = subprocess.Popen(
        [sys.executable, "-c", BOARD_FOR_EVER, str(tmp_path), str(firmware)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert supervisor.stdout is not None
    with supervisor.stdout:
        assert supervisor.stdout.readline() == b"awake\n"
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()
    deadline_s = time.monotonic() + 20
    while left := processes_of(supervisor.pid):
        assert time.monotonic() < deadline_s, left
        time.sleep(0.02)


def test_a_program_that_ends_leaves_no_link_to_its_boards_open() -> None:
    source = (
        "from derb_tools.board.launcher import launcher\n"
        "starter = launcher(256)\npipes = starter.start()\nstarter.kill(pipes)\npipes.close()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "always::ResourceWarning", "-c", source], capture_output=True, check=True
    )
    assert ended.stderr == b""
