"""NDJSON files, one reading a line, each reading exactly once.

The number and the length of the file are committed with the cursor; what a crash left behind them is cut off.
"""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import NamedTuple

from derb_gateway.errors import SinkRetry
from derb_gateway.sinks.base import Batch

log = logging.getLogger(__name__)

_NAME = "readings-{:06d}.ndjson"


class Place(NamedTuple):
    """How far the files are written: the number of the file and its length in bytes."""

    number: int
    length: int


class FileSink:
    """A folder of files that rotate at a size; with `keep_files` the oldest go."""

    def __init__(self, directory: Path, *, rotate_bytes: int, keep_files: int = 0) -> None:
        self._directory = directory
        self._rotate_bytes = rotate_bytes
        self._keep_files = keep_files

    async def open(self, state: str | None) -> str | None:
        """Cut the files back to what is committed; SinkRetry."""
        try:
            return json.dumps(await asyncio.to_thread(self._cut_back, state))
        except OSError as error:
            raise SinkRetry(str(error)) from error

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Append and sync; return the new place. SinkRetry."""
        lines = "".join(json.dumps(reading, separators=(",", ":")) + "\n" for reading in batch.readings)
        try:
            return json.dumps(await asyncio.to_thread(self._append, _place(state), lines.encode()))
        except OSError as error:
            raise SinkRetry(str(error)) from error

    async def close(self) -> None:
        """Do nothing: no file stays open between batches."""

    def _path(self, number: int) -> Path:
        return self._directory / _NAME.format(number)

    def _cut_back(self, state: str | None) -> Place:
        self._directory.mkdir(parents=True, exist_ok=True)
        there = self._numbers()
        if state is None:  # a new store: what an older one wrote is not ours to touch
            return Place(max(there, default=0) + 1, 0)
        place = _place(state)
        for number in there:
            if number > place.number:
                self._path(number).unlink()
        path = self._path(place.number)
        length = path.stat().st_size if path.exists() else 0
        if length < place.length:
            log.error(
                "a sink's file is shorter than what was written", extra={"path": str(path), "bytes": length}
            )
            return Place(place.number + 1, 0)
        if length > place.length:
            os.truncate(path, place.length)
        return place

    def _append(self, place: Place, lines: bytes) -> Place:
        """Write at the committed place, whatever a failed attempt left behind it."""
        if place.length >= self._rotate_bytes:
            place = Place(place.number + 1, 0)
            self._drop_oldest(place.number)
        path = self._path(place.number)
        new = not path.exists()
        with path.open("r+b" if not new else "w+b") as file:
            file.truncate(place.length)
            file.seek(place.length)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        if new:
            _sync_folder(self._directory)
        return Place(place.number, place.length + len(lines))

    def _drop_oldest(self, newest: int) -> None:
        if self._keep_files:
            for number in self._numbers():
                if number <= newest - self._keep_files:
                    self._path(number).unlink()

    def _numbers(self) -> list[int]:
        names = (path.stem.removeprefix("readings-") for path in self._directory.glob("readings-*.ndjson"))
        return sorted(int(name) for name in names if name.isdigit())


def _place(state: str | None) -> Place:
    return Place(*json.loads(state)) if state else Place(1, 0)


def _sync_folder(path: Path) -> None:
    """Make a new file's name survive a power cut too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
