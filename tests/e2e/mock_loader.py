"""A mock of the chips' loader, as a process of its own."""

import contextlib
import sys
from collections.abc import Iterator
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
