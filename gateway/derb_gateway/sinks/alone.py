"""Writing into a folder while no other gateway does."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from derb_gateway.errors import SinkRetry


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep others out meanwhile (flock(2)); SinkRetry if another is there, OSError if the folder is not.

    It is kept no longer: a disk in use could not be taken away. Where a network share knows no locks, nobody is kept out.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"another gateway writes into {folder}: give each a folder of its own"
            raise SinkRetry(msg) from None
        except OSError:
            pass
        yield
    finally:
        os.close(descriptor)
