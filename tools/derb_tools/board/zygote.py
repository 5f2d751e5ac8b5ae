"""A process that has MicroPython and the board's harness loaded, and forks a copy of itself for each wake.

A wake so costs a few milliseconds instead of forty. Run as a script by `launcher.ForkServer`, without
site-packages, so it imports nothing of ours: `python -I -S zygote.py EXTENSION LINK_FD HEAP_KB SCRIPT`.

The main thread is inside MicroPython, whose harness is blocked in reading its order from descriptor 0. A
request is a packet of JSON on the link, followed by SIGUSR1; the signal's handler, which runs on that very
thread and finds it in a system call, forks. The child gets other descriptors 0 to 3 and returns from the
handler into the same read, now from its own pipe: it is a board. `{}` comes with three descriptors, (stdin,
output, messages), and is answered with the process id; `{"kill": pid}` is answered when that process is gone
for certain.
"""

import ctypes
import importlib.machinery
import importlib.util
import json
import os
import signal
import socket
import sys
from typing import Any

MESSAGES_FD = 3
LINK_FD = 200  # far from where a board expects its own

_PACKET_BYTES = 4096


def _load(extension: str) -> Any:
    loader = importlib.machinery.ExtensionFileLoader("micropython_run", extension)
    spec = importlib.util.spec_from_loader("micropython_run", loader)
    if spec is None:
        raise ImportError(extension)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class Zygote:
    """Forks and kills on request."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._alive: set[int] = set()

    def serve(self, _signal: int) -> None:
        """Do what one packet asks. In the child of a fork this returns too: into MicroPython."""
        packet, fds, _, _ = socket.recv_fds(self._link, _PACKET_BYTES, 3)
        order = json.loads(packet)
        if "kill" in order:
            self.kill(order["kill"])
            self._link.send(b"{}")
        else:
            self._fork(fds)

    def kill(self, pid: int) -> None:
        if pid in self._alive:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._alive.remove(pid)

    def kill_all(self) -> None:
        for pid in list(self._alive):
            self.kill(pid)

    def _fork(self, fds: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            _become_board(fds)
            return
        for fd in fds:
            os.close(fd)
        self._alive.add(pid)
        self._link.send(json.dumps({"pid": pid}).encode())


def _become_board(fds: list[int]) -> None:
    # Writing to a connection that the peer has reset is an error on the chip, not a death.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    stdin_fd, output_fd, messages_fd = fds
    for fd, target in ((messages_fd, MESSAGES_FD), (stdin_fd, 0), (output_fd, 1), (output_fd, 2)):
        os.dup2(fd, target)
    os.closerange(MESSAGES_FD + 1, LINK_FD + 1)


def main() -> None:
    """See the module's docstring."""
    extension, link_fd, heap_kb, script = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    os.dup2(int(link_fd), LINK_FD)
    os.dup2(os.open(os.devnull, os.O_RDONLY), MESSAGES_FD)  # so that no passed descriptor takes that place
    zygote = Zygote(socket.socket(fileno=LINK_FD))
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(zygote.serve)
    # Not Python's own signal module: its handlers wait until Python runs again, and MicroPython never
    # returns.
    ctypes.CDLL(None).signal(signal.SIGUSR1, handler)
    pid = os.getpid()
    _load(extension).run_main(["micropython", "-X", f"heapsize={heap_kb}k", script, str(MESSAGES_FD)])
    if os.getpid() == pid:
        zygote.kill_all()
    os._exit(0)


if __name__ == "__main__":
    main()
