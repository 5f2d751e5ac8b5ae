"""Damaged files out of the way: renamed, kept for whoever wants to look into them, but not without end."""

import logging
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)

KEPT_FILES = 3
KEPT_BYTES = 2 << 30
_PARTS = ("", "-wal", "-shm")


def set_aside(path: Path) -> Path:
    """Rename a database and what belongs to it; return the new name. OSError."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for part in _parts(path):
        part.rename(aside.with_name(aside.name + part.name.removeprefix(path.name)))
    return aside


def files_aside(path: Path) -> list[Path]:
    """Return what was set aside of a database, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*Z"))


def drop_oldest(path: Path, files: int = KEPT_FILES, total_bytes: int = KEPT_BYTES) -> int:
    """Delete the oldest of what was set aside beyond so many files or bytes, never the newest; return how many went."""
    kept_bytes, dropped = 0, 0
    for count, aside in enumerate(reversed(files_aside(path))):
        kept_bytes += sum(part.stat().st_size for part in _parts(aside))
        if count and (count >= files or kept_bytes > total_bytes):
            _delete(aside)
            dropped += 1
    return dropped


def _delete(aside: Path) -> None:
    log.warning("old damaged file deleted", extra={"path": str(aside)})
    for part in _parts(aside):
        part.unlink()


def _parts(path: Path) -> list[Path]:
    parts = [path.with_name(path.name + suffix) for suffix in _PARTS]
    return [part for part in parts if part.exists()]
