"""Starts MicroPython: forked from a process that has it loaded, or the program that `MICROPYTHON` names."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .errors import BoardBroken, NoMicroPython

_SCRIPT = Path(__file__).parent / "mpy" / "boot.py"
_READY = b"derb-board ready\n"
_LENGTH_DIGITS = 8
_ZYGOTE = Path(__file__).parent / "zygote.py"
_EXTENSION = "micropython_run"


@dataclass(frozen=True)
class Pipes:
    """The supervisor's ends of the pipes to one process, and the process id."""

    pid: int
    stdin_fd: int
    output_fd: int
    messages_fd: int

    def give(self, order: object) -> None:
        """Write the order: its length in 8 digits, then JSON. (MicroPython's arguments hold 255 bytes.)"""
        text = json.dumps(order).encode()
        left = b"%0*d" % (_LENGTH_DIGITS, len(text)) + text
        while left:
            left = left[os.write(self.stdin_fd, left) :]

    def close(self) -> None:
        for fd in (self.stdin_fd, self.output_fd, self.messages_fd):
            os.close(fd)


class Launcher(Protocol):
    """Starts the harness in a fresh MicroPython, to be given its order, and ends it for certain."""

    def start(self) -> Pipes: ...

    def kill(self, pipes: Pipes) -> None: ...


class PipePairs:
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
    """Forks each board from a process that has MicroPython and the harness loaded. Linux; thread-safe."""

    def __init__(self, extension: Path, heap_kb: int) -> None:
        self._lock = threading.Lock()
        self._link, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            command = [
                sys.executable,
                "-I",
                "-S",
                str(_ZYGOTE),
                str(extension),
                str(far.fileno()),
                str(heap_kb),
            ]
            self._process = subprocess.Popen(
                [*command, str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[far.fileno()],
                start_new_session=True,  # a Ctrl-C in the terminal is for us: we end the boards
            )
        atexit.register(self.close)
        if not self._process.stdout or self._process.stdout.readline() != _READY:
            raise BoardBroken("the MicroPython fork server did not start")

    def start(self) -> Pipes:
        pairs = PipePairs()
        try:
            answer = self._ask({}, pairs.child_ends())
        finally:
            pairs.close_child_ends()
        return pairs.near_ends(answer["pid"])

    def kill(self, pipes: Pipes) -> None:
        self._ask({"kill": pipes.pid}, [])

    def close(self) -> None:
        """End the server and every board that still runs."""
        self._process.communicate()
        self._link.close()

    def _ask(self, request: dict[str, int], fds: list[int]) -> dict[str, int]:
        with self._lock:
            socket.send_fds(self._link, [json.dumps(request).encode()], fds)
            self._process.send_signal(signal.SIGUSR1)
            answer = self._link.recv(4096)
        if not answer:
            raise BoardBroken("the MicroPython fork server has ended")
        decoded: dict[str, int] = json.loads(answer)
        return decoded


class PlainLauncher:
    """Starts a MicroPython program for each board."""

    def __init__(self, program: str, heap_kb: int) -> None:
        self._command = [program, "-X", f"heapsize={heap_kb}k", str(_SCRIPT)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> Pipes:
        pairs = PipePairs()
        stdin, output, messages = pairs.child_ends()
        try:
            process = subprocess.Popen(
                [*self._command, str(messages)],
                stdin=stdin,
                stdout=output,
                stderr=output,
                pass_fds=[messages],
                start_new_session=True,
                restore_signals=False,  # SIGPIPE stays ignored: see `zygote._become_board`
            )
        finally:
            pairs.close_child_ends()
        pipes = pairs.near_ends(process.pid)
        self._processes[process.pid] = process
        _skip_ready(pipes.output_fd)
        return pipes

    def kill(self, pipes: Pipes) -> None:
        process = self._processes.pop(pipes.pid)
        process.kill()
        process.wait()


def _skip_ready(output_fd: int) -> None:
    said = b""
    while not said.endswith(b"\n"):
        select.select([output_fd], [], [])
        byte = os.read(output_fd, 1)
        if not byte:
            break
        said += byte
    if said != _READY:
        raise BoardBroken(f"MicroPython did not start: {said.decode(errors='replace')}")


_lock = threading.Lock()
_launchers: dict[tuple[str, int], Launcher] = {}


def launcher(heap_kb: int) -> Launcher:
    """The launcher for boards with so much heap, made at the first call. Raises NoMicroPython."""
    program = os.environ.get("MICROPYTHON", "")
    with _lock:
        if (program, heap_kb) not in _launchers:
            _launchers[program, heap_kb] = _make(program, heap_kb)
        return _launchers[program, heap_kb]


def _make(program: str, heap_kb: int) -> Launcher:
    if program:
        return PlainLauncher(found_program(program), heap_kb)
    spec = importlib.util.find_spec(_EXTENSION)
    if spec is None or spec.origin is None:
        raise NoMicroPython("no MicroPython here: install derb[tools], or set MICROPYTHON to its unix port")
    if sys.platform != "linux":
        return PlainLauncher(found_program(str(Path(sys.executable).with_name("micropython"))), heap_kb)
    return ForkServer(Path(spec.origin), heap_kb)


def boot_script() -> Path:
    """The harness that MicroPython runs."""
    return _SCRIPT


def found_program(program: str) -> str:
    """The path of a MicroPython that can be run. Raises NoMicroPython."""
    found = shutil.which(program)
    if not found:
        raise NoMicroPython(f"{program} is not a MicroPython that can be run")
    return found
