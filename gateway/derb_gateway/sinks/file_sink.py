"""NDJSON files, one reading a line, each reading exactly once for as long as the store lives.

The number and the length of the file are committed with the cursor; what a crash left behind them is written
over by the same readings. With `pack` a file that is full is written anew in another format and replaced: only the newest is
ever NDJSON, since only that can be cut back to what is committed. A store that was set aside or restored takes its memory with
it: what nodes then send again comes again, under its old key, and what stands in the files already stays there.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from derb_gateway.errors import SinkRetry
from derb_gateway.sinks.alone import alone_in
from derb_gateway.sinks.base import Batch

log = logging.getLogger(__name__)

_NAME = "readings-{:06d}.ndjson"
_SUFFIX, _SUFFIXES = ".ndjson", (".ndjson", ".parquet")
_PACKED = "it is finished, though the store knows less of it"
_SHORTER = "it is shorter than what was written"
_FOREIGN = "it holds readings that the store does not know of: does another gateway write there?"


class Place(NamedTuple):
    """How far the files are written: the number of the file and its length in bytes."""

    number: int
    length: int


class FileSink:
    """A folder of files that rotate at a size; with `keep_files` the oldest go."""

    def __init__(
        self,
        directory: Path,
        *,
        rotate_bytes: int,
        keep_files: int = 0,
        pack: Callable[[Path], Path] | None = None,
    ) -> None:
        """`pack`: puts another file into the place of a full one and returns it; on OSError it is called again."""
        self._directory = directory
        self._pack = pack
        self._rotate_bytes = rotate_bytes
        self._keep_files = keep_files

    async def open(self, state: str | None) -> str | None:
        """Compare the files with what is committed; SinkRetry."""
        try:
            return json.dumps(await asyncio.to_thread(self._found, state))
        except OSError as error:
            raise SinkRetry(str(error)) from error

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Append and sync; return the new place. SinkRetry."""
        lines = "".join(json.dumps(reading, separators=(",", ":")) + "\n" for reading in batch.readings)
        keys = {str(reading["key"]) for reading in batch.readings}
        try:
            return json.dumps(
                await asyncio.to_thread(self._append_alone, _place(state), keys, lines.encode())
            )
        except OSError as error:
            raise SinkRetry(str(error)) from error

    async def close(self) -> None:
        """Do nothing: no file stays open between batches."""

    def _path(self, number: int) -> Path:
        return self._directory / _NAME.format(number)

    def _found(self, state: str | None) -> Place:
        """Return the committed place, or a new file if the files are ahead of it: the store is an older one."""
        self._directory.mkdir(parents=True, exist_ok=True)
        there = self._numbers()
        if state is None:  # a new store: what an older one wrote is not ours to touch
            return Place(max(there, default=0) + 1, 0)
        place = _place(state)
        if place.length < self._rotate_bytes and self._is_packed(place.number):
            return self._elsewhere(place, _PACKED)
        begun = place.number + (place.length >= self._rotate_bytes)  # all that a crash can have left
        if max(there, default=0) > begun:
            return self._elsewhere(place, "there are newer files than the store knows of")
        if self._size(place.number) < place.length:
            return self._elsewhere(place, _SHORTER)
        return place

    def _append_alone(self, place: Place, keys: set[str], lines: bytes) -> Place:
        with alone_in(self._directory):
            return self._append(place, keys, lines)

    def _append(self, place: Place, keys: set[str], lines: bytes) -> Place:
        """Write at the committed place, over what a failed attempt at these readings left behind it."""
        if place.length >= self._rotate_bytes:
            self._finish(place, keys)
            place = Place(place.number + 1, 0)
            self._drop_oldest(place.number)
        if self._size(place.number) < place.length:
            place = self._elsewhere(place, _SHORTER)
        elif self._foreign_behind(place, keys):
            place = self._elsewhere(place, _FOREIGN)
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

    def _finish(self, place: Place, keys: set[str]) -> None:
        """Put a full file into its last form; what stands behind the committed place is of an attempt that comes again."""
        path = self._path(place.number)
        if self._pack is None or not path.exists() or self._foreign_behind(place, keys):
            return
        os.truncate(path, place.length)
        self._pack(path)

    def _is_packed(self, number: int) -> bool:
        return any(path.suffix != _SUFFIX for path in self._files(number))

    def _files(self, number: int) -> list[Path]:
        """Return what there is of a number; a file that is still being packed does not count."""
        files = self._directory.glob(f"{self._path(number).stem}.*")
        return [path for path in files if path.suffix != ".part"]

    def _size(self, number: int) -> int:
        """Return a file's length; one that is packed has all that was ever committed."""
        if self._is_packed(number):
            return sys.maxsize
        path = self._path(number)
        return path.stat().st_size if path.exists() else 0

    def _elsewhere(self, place: Place, why: str) -> Place:
        """Leave the files as they are and go on in a new one."""
        log.error("forwarded files changed", extra={"path": str(self._path(place.number)), "why": why})
        return Place(max(place.number, *self._numbers(), 0) + 1, 0)

    def _foreign_behind(self, place: Place, keys: set[str]) -> bool:
        """Return whether a reading stands behind the place that is not about to be written again."""
        if self._size(place.number) <= place.length:
            return False
        with self._path(place.number).open("rb") as file:
            file.seek(place.length)
            return any(key is not None and key not in keys for key in map(_key, file))

    def _drop_oldest(self, newest: int) -> None:
        if self._keep_files:
            for number in self._numbers():
                if number <= newest - self._keep_files:
                    for path in self._files(number):
                        path.unlink()

    def _numbers(self) -> list[int]:
        paths = (path for path in self._directory.glob("readings-*") if path.suffix in _SUFFIXES)
        names = (path.stem.removeprefix("readings-") for path in paths)
        return sorted({int(name) for name in names if name.isdigit()})


def _place(state: str | None) -> Place:
    return Place(*json.loads(state)) if state else Place(1, 0)


def _key(line: bytes) -> str | None:
    """Return a line's key, None for what a crash cut off."""
    try:
        return str(json.loads(line)["key"])
    except (ValueError, KeyError, TypeError):
        return None


def _sync_folder(path: Path) -> None:
    """Make a new file's name survive a power cut too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
