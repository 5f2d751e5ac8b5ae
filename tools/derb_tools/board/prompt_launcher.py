"""Starts MicroPython with a terminal as its stdin and stdout, so that a board whose main.py returns has its prompt there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
import tty
from pathlib import Path

from .launcher import PipePairs, Pipes, boot_script, found_program

# Python's own handler would make it look as if MicroPython minded Ctrl-C before it does.
_PYPI = (
    "import signal, sys, micropython_unix\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "sys.exit(micropython_unix.main())"
)
_SIGINT_BIT = 1 << 1


class PromptLauncher:
    """A launcher for one board, whose UART 0 is the terminal `console`."""

    def __init__(self, console: Path, heap_kb: int) -> None:
        self._console = console
        self._heap_kb = heap_kb
        self._process: subprocess.Popen[bytes] | None = None
        self._silent_fd = -1

    def start(self) -> Pipes:
        """Start the harness on a terminal with nothing left in it of the board's former life."""
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
        """Ctrl-C: tell the running program, if it minds."""
        process = self._process
        return process is not None and _interrupted(process)

    def _command(self) -> list[str]:
        program = os.environ.get("MICROPYTHON", "")
        start = [found_program(program)] if program else [sys.executable, "-c", _PYPI]
        return [*start, "-X", f"heapsize={self._heap_kb}k", "-i", str(boot_script())]


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


def _catches_interrupt(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False  # it has just ended
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & _SIGINT_BIT)
