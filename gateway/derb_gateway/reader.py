"""Reading the store beside its writer, in other threads and other processes; never writes."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from derb_gateway.errors import StoreError
from derb_gateway.schema import text_of
from derb_gateway.store import StoredReading
from derb_gateway.stored_body import plausible

log = logging.getLogger(__name__)

_ENDLESS = (1 << 63) - 1
_COLUMNS = ", ".join(StoredReading._fields)


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as it is now (it may have been replaced since last time); StoreError."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    except sqlite3.Error as error:
        msg = f"{path}: cannot be read: {error}"
        raise StoreError(msg) from error
    connection.text_factory = text_of
    try:
        yield connection
    except sqlite3.Error as error:
        msg = f"{path}: cannot be read: {error}"
        raise StoreError(msg) from error
    finally:
        connection.close()


def readings_after(
    path: Path, after_id: int, at_most: int, upto_id: int | None = None
) -> list[StoredReading]:
    """Return committed readings in the order in which they came, up to an id if one is given; StoreError.

    Fewer than `at_most` only if there are no more: one that is left out does not make the answer shorter.
    """
    query = f"SELECT {_COLUMNS} FROM reading WHERE id > ? AND id <= ? ORDER BY id"  # noqa: S608 - names of ours
    with read_only(path) as connection:
        found = connection.execute(query, (after_id, _ENDLESS if upto_id is None else upto_id))
        return list(islice(filter(is_sound, (StoredReading(*row) for row in found)), at_most))


def next_id(path: Path, after_id: int) -> int | None:
    """Return the id of the first reading after an id, None if there is none: ids have holes; StoreError."""
    with read_only(path) as connection:
        (found,) = connection.execute("SELECT min(id) FROM reading WHERE id > ?", (after_id,)).fetchone()
        return None if found is None else int(found)


def is_sound(reading: StoredReading) -> bool:
    """Return whether a reading can be forwarded; one with a flipped bit in it would hold up all that come after it."""
    if plausible(reading.kind, reading.body):
        return True
    identity = f"{reading.node}:{reading.boot}:{reading.seq}"
    log.error("reading damaged, left out", extra={"key": identity, "body": reading.body})
    return False
