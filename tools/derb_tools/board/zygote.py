"""A process that has loaded MicroPython and forks one that runs it for each wake: 5 ms instead of 40.

Run as a script, `python -I -S zygote.py EXTENSION SOCKET_FD`, by `launcher.ForkServer`; so it imports nothing of ours.

Each packet on the socket is JSON. `{"argv": [...]}` comes with three descriptors, (stdin, output, messages), and is
answered with the process id; `{"kill": pid}` is answered with "{}" when that process is gone for certain.
"""

import importlib.machinery
import importlib.util
import json
import os
import signal
import socket
import sys
from typing import Any

MESSAGES_FD = 3
_PACKET_BYTES = 1 << 20


def _load(extension: str) -> Any:
    loader = importlib.machinery.ExtensionFileLoader("micropython_run", extension)
    spec = importlib.util.spec_from_loader("micropython_run", loader)
    if spec is None:
        raise ImportError(extension)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _become_board(micropython: Any, argv: list[str], fds: list[int]) -> None:
    # A dead supervisor must not leave boards behind: their next message kills them.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    stdin_fd, output_fd, messages_fd = (os.dup(fd) for fd in fds)
    for fd, target in ((messages_fd, MESSAGES_FD), (stdin_fd, 0), (output_fd, 1), (output_fd, 2)):
        os.dup2(fd, target)
    os.closerange(MESSAGES_FD + 1, 256)
    os._exit(micropython.run_main(argv) or 0)


def _fork(micropython: Any, argv: list[str], fds: list[int]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            _become_board(micropython, argv, fds)
        finally:
            os._exit(1)
    for fd in fds:
        os.close(fd)
    return pid


def _kill(pid: int, alive: set[int]) -> None:
    if pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        alive.remove(pid)


def serve(micropython: Any, link: socket.socket) -> None:
    """Fork and kill on request until the supervisor closes its end; then kill what is left."""
    alive: set[int] = set()
    while True:
        packet, fds, _, _ = socket.recv_fds(link, _PACKET_BYTES, 3)
        if not packet:
            break
        order = json.loads(packet)
        if "kill" in order:
            _kill(order["kill"], alive)
            link.send(b"{}")
        else:
            pid = _fork(micropython, order["argv"], fds)
            alive.add(pid)
            link.send(json.dumps({"pid": pid}).encode())
    for pid in list(alive):
        _kill(pid, alive)


def main() -> None:
    """See the module's docstring."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    fd = int(sys.argv[2])
    # The link must not be where a board expects its own descriptors.
    high = os.dup2(fd, 200, inheritable=False)
    os.close(fd)
    serve(_load(sys.argv[1]), socket.socket(fileno=high))


if __name__ == "__main__":
    main()
