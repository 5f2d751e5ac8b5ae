"""Writing into a store from another process than the gateway's, whether one runs or not."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from derb_gateway import schema
from derb_gateway.errors import StoreError, StoreInUse

_BUSY_S = 10.0


@contextmanager
def beside_gateway(store: Path, what: str) -> Iterator[sqlite3.Connection]:
    """Open a store for one transaction; `what` cannot be done if that fails. StoreError, StoreLocked.

    The last to close a store writes its log into it, and SQLite passes over what stands behind a damaged place in the log. So if
    no gateway runs, the store is first opened as a gateway opens it; what only a gateway can mend is left to one.
    """
    try:
        lock = _looked_after(store)
        try:
            uri = f"{store.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_S)) as db, db:
                yield db
        finally:
            if lock is not None:
                schema.unlock(lock)
    except sqlite3.Error as error:
        msg = f"{store}: {what}: {error}"
        raise StoreError(msg) from error
    except schema.Damaged as damage:
        msg = f"{store}: {what}: the store is damaged ({damage}): start the gateway, which salvages it"
        raise StoreError(msg) from None


def clear_alarms(store: Path, names: Sequence[str] = ()) -> int:
    """Forget alarms, all if none is named; return how many. StoreError, StoreLocked."""
    with beside_gateway(store, "the alarms cannot be cleared") as db:
        if not names:
            return db.execute("DELETE FROM alarm").rowcount
        return sum(db.execute("DELETE FROM alarm WHERE name = ?", (name,)).rowcount for name in names)


def _looked_after(store: Path) -> int | None:
    """Return a lock on a store that nobody uses, None if a gateway does, or if there is none."""
    if not store.exists():
        return None
    try:
        lock = schema.lock(store)
    except StoreInUse:
        return None
    try:
        schema.connect(store).close()
    except BaseException:
        schema.unlock(lock)
        raise
    return lock
