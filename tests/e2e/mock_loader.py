"""A mock of the chips' loader, as a process of its own: at a TCP port, or at a serial port that another program takes over."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.e2e.rig import Process, free_port


@contextlib.contextmanager
def mock_loader(chip: str, folder: Path) -> Iterator[int]:
    """The port on which a board with a blank flash listens, in its loader."""
    port = free_port()
    command = [sys.executable, "-m", "esp32_mock_bootloader.cli", "run", "--chip", chip, "--port", str(port)]
    board = Process(command, folder / f"{chip}-{port}.log", port)
    board.start()
    try:
        yield port
    finally:
        board.kill()


def url(port: int) -> str:
    return f"socket://127.0.0.1:{port}"


@contextlib.contextmanager
def loader_at(port: Path, chip: str, folder: Path) -> Iterator[Callable[[], None]]:
    """A board in its loader at a serial port; what is given takes it away, for another program at the same port."""
    told = folder / "loader-port"
    command = [
        sys.executable,
        "-m",
        "esp32_mock_bootloader.cli",
        "run",
        "--chip",
        chip,
        "--pty",
        "--port-file",
        str(told),
    ]
    board = Process(command, folder / f"{chip}-pty.log")
    board.start()

    def leave() -> None:
        port.unlink(missing_ok=True)
        board.kill()

    try:
        deadline_s = time.monotonic() + 10
        while not (told.exists() and told.read_text()):
            assert time.monotonic() < deadline_s, "the mock did not start"
            time.sleep(0.02)
        port.symlink_to(told.read_text())
        yield leave
    finally:
        leave()
