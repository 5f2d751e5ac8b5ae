"""Makes the flash image of a board: a real littlefs with the firmware in it, made by MicroPython itself."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import BoardBroken
from .launcher import launcher

BLOCK_BYTES = 4096
BLOCKS = 512

_SUFFIXES = (".py", ".mpy")
_NOT_ON_THE_BOARD = ("manifest.py", "_boot.py")

_lock = threading.Lock()
_made: dict[str, bytes] = {}


def make_image(
    image: Path, firmware: Path, extra_dirs: Iterable[Path] = (), blocks: int = BLOCKS, heap_kb: int = 1024
) -> None:
    """Write a littlefs image with the Python files of `firmware` at "/" and those of `extra_dirs` in "/lib".

    The same files are put into an image once a process. Raises BoardBroken.
    """
    files = list(_files(firmware, ""))
    for each in extra_dirs:
        files += _files(each, "/lib")
    digest = _digest(files, blocks)
    with _lock:
        if digest not in _made:
            _format(image, files, ["/outbox"] if (firmware / "derb").is_dir() else [], blocks, heap_kb)
            _made[digest] = image.read_bytes()
            return
    image.write_bytes(_made[digest])


def _files(tree: Path, place: str) -> Iterator[tuple[Path, str]]:
    for source in sorted(tree.rglob("*")):
        if source.suffix in _SUFFIXES and source.name not in _NOT_ON_THE_BOARD:
            yield source, f"{place}/{source.relative_to(tree).as_posix()}"


def _digest(files: list[tuple[Path, str]], blocks: int) -> str:
    digest = hashlib.sha256(str(blocks).encode())
    for source, target in files:
        digest.update(f"\0{target}\0".encode() + hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def _format(
    image: Path, files: list[tuple[Path, str]], folders: list[str], blocks: int, heap_kb: int
) -> None:
    order = {
        "image": str(image),
        "blocks": blocks,
        "files": [[str(s.resolve()), target] for s, target in files],
        "folders": folders,
    }
    starter = launcher(heap_kb)
    pipes = starter.start()
    try:
        pipes.give(order)
        os.set_blocking(pipes.messages_fd, True)
        done = os.read(pipes.messages_fd, 1) == b"I"
        said = b"" if done else os.read(pipes.output_fd, 65_536)
    finally:
        starter.kill(pipes)
        pipes.close()
    if not done:
        raise BoardBroken(f"no image could be made of {len(files)} files: {said.decode(errors='replace')}")
