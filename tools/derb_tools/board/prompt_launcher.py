"""Starts MicroPython with a terminal as its stdin and stdout, so that a board whose main.py returns has its prompt there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import tty
from pathlib import Path
from typing import NamedTuple

from .launcher import PipePairs, Pipes, boot_script, found_program

# Ctrl-C is ignored until MicroPython minds it; Python, which starts some of them, would take it for its own and die of it.
_IGNORING = 'trap "" INT; exec "$0" "$@"'
_PYPI = "import sys, micropython_unix; sys.exit(micropython_unix.main())"
_SIGINT_BIT = 1 << 1
# MicroPython looks for a Ctrl-C between two bytecodes, after milliseconds when it compiles or collects garbage. Its unix port
# dies of a second one that comes sooner; a chip takes both for one.
_SEEN_TICKS = 5


class _Life(NamedTuple):
    """Whether a process runs rather than waits, and for how long it has, in clock ticks (10 ms)."""

    running: bool
    ticks: int


class PromptLauncher:
    """A launcher for one board, whose UART 0 is the terminal `console`."""

    def __init__(self, console: Path, heap_kb: int) -> None:
        self._console = console
        self._heap_kb = heap_kb
        self._process: subprocess.Popen[bytes] | None = None
        self._told_at: _Life | None = None
        self._silent_fd = -1

    def start(self) -> Pipes:
        """Start the harness on a terminal with nothing left in it of the board's former life."""
        self._told_at = None
        pairs = PipePairs()
        orders, silent, messages = pairs.child_ends()
        console = os.open(self._console, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(console)
        termios.tcflush(console, termios.TCIFLUSH)
        try:
            self._process = process = subprocess.Popen(
                [*self._command(), str(messages), str(orders)],
                stdin=console,
                stdout=console,
                stderr=console,
                pass_fds=[messages, orders],
                start_new_session=True,
                restore_signals=False,
            )
        finally:
            self._silent_fd = os.dup(silent)  # an output that nobody could write to would be a dead board's
            pairs.close_child_ends()
            os.close(console)
        return pairs.near_ends(process.pid)

    def kill(self, pipes: Pipes) -> None:
        """End it for certain."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            os.close(self._silent_fd)

    def interrupt(self) -> bool:
        """Ctrl-C: tell the running program, if it minds. One that has not seen the last one yet sees both as one."""
        process = self._process
        if process is None:
            return False
        before, now = self._told_at, _life(process.pid)
        if before and now and now.running and now.ticks - before.ticks < _SEEN_TICKS:
            return True
        if not _interrupted(process):
            return False
        self._told_at = _life(process.pid)
        return True

    def _command(self) -> list[str]:
        program = os.environ.get("MICROPYTHON", "")
        start = [found_program(program)] if program else [sys.executable, "-c", _PYPI]
        return [
            "/bin/sh",
            "-c",
            _IGNORING,
            *start,
            "-X",
            f"heapsize={self._heap_kb}k",
            "-i",
            str(boot_script()),
        ]


def _interrupted(process: subprocess.Popen[bytes]) -> bool:
    """Send SIGINT if it is caught. The program is held meanwhile: it ceases to catch it when it comes to its prompt, and
    would die of one that is sent a moment later."""
    process.send_signal(signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if not _catches_interrupt(process.pid):
            return False
        process.send_signal(signal.SIGINT)
    except ChildProcessError:
        return False  # it has just ended, and been waited for
    finally:
        process.send_signal(signal.SIGCONT)
    return True


def _life(pid: int) -> _Life | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None  # it has just ended
    return _Life(fields[0] != "S", int(fields[11]) + int(fields[12]))


def _catches_interrupt(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False  # it has just ended
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & _SIGINT_BIT)
