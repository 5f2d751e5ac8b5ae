"""Reading the store beside its writer, in other threads and other processes; never writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from derb_gateway.errors import StoreError
from derb_gateway.store import StoredReading

_COLUMNS = ", ".join(StoredReading._fields)


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as it is now (it may have been replaced since last time); StoreError."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        msg = f"{path}: cannot be read: {error}"
        raise StoreError(msg) from error
    try:
        yield connection
    except sqlite3.Error as error:
        msg = f"{path}: cannot be read: {error}"
        raise StoreError(msg) from error
    finally:
        connection.close()


def readings_after(path: Path, after_id: int, at_most: int) -> list[StoredReading]:
    """Return committed readings in the order in which they came; StoreError."""
    query = f"SELECT {_COLUMNS} FROM reading WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - names of ours
    with read_only(path) as connection:
        return [StoredReading(*row) for row in connection.execute(query, (after_id, at_most))]
