"""Reaching the gateway that runs: its process id stands in the store's lock file, and is good while the lock is held."""

import fcntl
import logging
import os
import signal
from pathlib import Path

log = logging.getLogger(__name__)


def forget_pid(descriptor: int) -> None:
    """Blank out who held the lock file before, in its place: there may be no room for anything new."""
    os.pwrite(descriptor, b"\n" * os.fstat(descriptor).st_size, 0)


def note_pid(descriptor: int) -> None:
    """Write this process down in the lock file that it holds; on a full disk nobody may find it."""
    try:
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        log.warning("other commands will not find this gateway", extra={"why": str(error)})


def running_pid(lock: Path) -> int | None:
    """Return the process that holds a lock file, None if none does."""
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.pread(descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None
    else:
        return None  # whoever wrote it is gone
    finally:
        os.close(descriptor)


def reload_running(store: Path) -> str:
    """Have the gateway that uses this store read its registry again; return what came of it, for people."""
    pid = running_pid(store.with_name(store.name + ".lock"))
    if pid is None:
        return "no gateway runs here: it takes the registry when it starts"
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        return f"the gateway belongs to another user: sudo kill -HUP {pid}"
    except ProcessLookupError:
        return "the gateway has just ended: it takes the registry when it starts"
    return "the gateway was told"
