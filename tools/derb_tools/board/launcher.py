"""Starts MicroPython processes: forked from one that has it loaded, or plainly, where `MICROPYTHON` names a program."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .errors import BoardBroken, NoMicroPython

MPY_DIR = Path(__file__).parent / "mpy"

_ZYGOTE = Path(__file__).parent / "zygote.py"
_EXTENSION = "micropython_run"
_ZYGOTE_MESSAGES_FD = 3


@dataclass(frozen=True)
class Pipes:
    """The supervisor's ends of the pipes to one process, and the process id."""

    pid: int
    stdin_fd: int
    output_fd: int
    messages_fd: int

    def give(self, order: object) -> None:
        """Write the order, one line of JSON; MicroPython's arguments end at 255 characters."""
        line = json.dumps(order).encode() + b"\n"
        while line:
            line = line[os.write(self.stdin_fd, line) :]

    def close(self) -> None:
        for fd in (self.stdin_fd, self.output_fd, self.messages_fd):
            os.close(fd)


class Launcher(Protocol):
    """Starts a script of `MPY_DIR` in a fresh MicroPython, and ends it for certain. `Pipes.give()` it its order."""

    def start(self, script: str, heap_kb: int) -> Pipes: ...

    def kill(self, pipes: Pipes) -> None: ...


def _arguments(script: str, heap_kb: int, messages_fd: int) -> list[str]:
    return ["micropython", "-X", f"heapsize={heap_kb}k", str(MPY_DIR / script), str(messages_fd)]


class _PipePairs:
    """Three pipes, of which the child gets the far ends."""

    def __init__(self) -> None:
        self.child_stdin, self.stdin = os.pipe()
        self.output, self.child_output = os.pipe()
        self.messages, self.child_messages = os.pipe()

    def child_ends(self) -> list[int]:
        return [self.child_stdin, self.child_output, self.child_messages]

    def close_child_ends(self) -> None:
        for fd in self.child_ends():
            os.close(fd)

    def near_ends(self, pid: int) -> Pipes:
        for fd in (self.output, self.messages):
            os.set_blocking(fd, False)
        return Pipes(pid, self.stdin, self.output, self.messages)


class ForkServer:
    """Forks each board from one process that has loaded MicroPython. Thread-safe."""

    def __init__(self, extension: Path) -> None:
        self._lock = threading.Lock()
        self._link, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            command = [sys.executable, "-I", "-S", str(_ZYGOTE), str(extension), str(far.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[far.fileno()])
        atexit.register(self.close)

    def start(self, script: str, heap_kb: int) -> Pipes:
        pairs = _PipePairs()
        argv = _arguments(script, heap_kb, _ZYGOTE_MESSAGES_FD)
        try:
            answer = self._ask({"argv": argv}, pairs.child_ends())
        finally:
            pairs.close_child_ends()
        return pairs.near_ends(answer["pid"])

    def kill(self, pipes: Pipes) -> None:
        self._ask({"kill": pipes.pid}, [])

    def close(self) -> None:
        """End the server and every board that still runs."""
        self._link.close()
        self._process.wait()

    def _ask(self, order: dict[str, object], fds: list[int]) -> dict[str, int]:
        with self._lock:
            socket.send_fds(self._link, [json.dumps(order).encode()], fds)
            answer = self._link.recv(4096)
        if not answer:
            raise BoardBroken("the MicroPython fork server has ended")
        decoded: dict[str, int] = json.loads(answer)
        return decoded


class PlainLauncher:
    """Starts a MicroPython program for each board."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, script: str, heap_kb: int) -> Pipes:
        pairs = _PipePairs()
        stdin, output, messages = pairs.child_ends()
        argv = _arguments(script, heap_kb, messages)
        try:
            process = subprocess.Popen(
                [self._program, *argv[1:]], stdin=stdin, stdout=output, stderr=output, pass_fds=[messages]
            )
        finally:
            pairs.close_child_ends()
        self._processes[process.pid] = process
        return pairs.near_ends(process.pid)

    def kill(self, pipes: Pipes) -> None:
        process = self._processes.pop(pipes.pid)
        process.kill()
        process.wait()


_lock = threading.Lock()
_launchers: dict[str, Launcher] = {}


def launcher() -> Launcher:
    """The launcher of this process, made at the first call. Raises NoMicroPython."""
    program = os.environ.get("MICROPYTHON", "")
    with _lock:
        if program not in _launchers:
            _launchers[program] = _make(program)
        return _launchers[program]


def _make(program: str) -> Launcher:
    if program:
        found = shutil.which(program)
        if not found:
            raise NoMicroPython(f"MICROPYTHON={program} is not a program that can be run")
        return PlainLauncher(found)
    spec = importlib.util.find_spec(_EXTENSION)
    if spec is None or spec.origin is None:
        raise NoMicroPython("no MicroPython here: install derb[tools], or set MICROPYTHON to its unix port")
    return ForkServer(Path(spec.origin))
