"""Files that are there whole or not at all: written beside their place, synced, and only then put there."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A text file to write to; what was at `path` stays until all is on the disk, and for good if it never is.

    Raises OSError with the name of the file that was asked for.
    """
    place = Path(os.path.realpath(path))
    if place.exists() and not place.is_file():  # a device would be replaced by a file of its name
        raise OSError(errno.EEXIST, "is there, and no ordinary file", str(path))
    partly = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with partly.open("x", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partly.replace(place)
    except OSError as error:
        if error.filename in (None, str(partly)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        partly.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, on the disk when this returns. OSError."""
    with whole_file(path) as file:
        file.write(text)
