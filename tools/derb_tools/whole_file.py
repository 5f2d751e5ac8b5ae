"""Files that are there whole or not at all: written beside their place, synced, and only then put there."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

_ANYBODYS, _OWNERS = 0o666, 0o600


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file to write to; what was at `path` stays until all is on the disk, and for good if it never is.

    Raises OSError with the name of the file that was asked for.
    """
    with _partly(path, _ANYBODYS) as descriptor, os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yield file
        _sync(file)


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, on the disk when this returns. OSError."""
    with whole_file(path) as file:
        file.write(text)


def write_whole_secret(path: Path, content: bytes) -> None:
    """The same of bytes that nobody but the file's owner may read, whoever might read what was there. OSError."""
    with _partly(path, _OWNERS) as descriptor, os.fdopen(descriptor, "wb") as file:
        file.write(content)
        _sync(file)


def _sync(file: IO[str] | IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _partly(path: Path, mode: int) -> Iterator[int]:
    place = Path(os.path.realpath(path))
    if place.exists() and not place.is_file():  # a device would be replaced by a file of its name
        raise OSError(errno.EEXIST, "is there, and no ordinary file", str(path))
    partly = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        yield os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        partly.replace(place)
    except OSError as error:
        if error.filename in (None, str(partly)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        partly.unlink(missing_ok=True)
