"""The prompt on a node, for a person at a terminal and for code from a script; the node goes back to work afterwards."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from derb_tools.errors import NodeRaised
from derb_tools.shell import run_code
from gateway.kit import DEADLINE_S
from tools.desk import at_desk, bay_board


def test_code_runs_and_what_it_prints_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with at_desk(bay_board(tmp_path), tmp_path) as desk, desk.prompt() as prompt:
        run_code(prompt, ["x = 6", "print(x * 7, 'é', sep='-')\nimport os\nprint('main.py' in os.listdir())"])
        assert capsys.readouterr().out == "42-é\nTrue\n"
        with pytest.raises(NodeRaised, match="NameError"):
            run_code(prompt, ["nothing_of_this_name"])


def test_code_from_a_file_and_from_the_command_line(tmp_path: Path) -> None:
    with at_desk(bay_board(tmp_path), tmp_path) as desk:
        done = desk.derb("shell", typed="for i in range(3):\n    print(i)\n")
        assert (done.returncode, done.stdout) == (0, "0\n1\n2\n"), done.stderr
        failed = desk.derb("shell", "-c", "1 // 0")
        assert failed.returncode == 1
        assert "ZeroDivisionError" in failed.stderr
        desk.wait_for(lambda: desk.ends()[-1:] == ["deepsleep"])


def test_a_person_types_and_leaves(tmp_path: Path) -> None:
    with at_desk(bay_board(tmp_path), tmp_path) as desk:
        desk.leave_a_prompt()
        keyboard, terminal = pty.openpty()
        command = [sys.executable, "-m", "derb_tools.cli", "shell", "--port", desk.port]
        with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal) as process:
            os.close(terminal)
            try:
                assert b"Ctrl-]" in _read_until(keyboard, b">>> ")
                os.write(keyboard, b"print(6 * 7)\r")
                assert b"42" in _read_until(keyboard, b"\n>>> ")
                os.write(keyboard, b"\x1d")
                assert process.wait(DEADLINE_S) == 0
            finally:
                process.kill()
        os.close(keyboard)
        desk.wait_for(lambda: desk.ends() == ["reset", "deepsleep"])


def _read_until(fd: int, end: bytes) -> bytes:
    seen = b""
    while end not in seen:
        assert select.select([fd], [], [], 15)[0], seen
        seen += os.read(fd, 1024)
    return seen
