"""What `derb gateway check` says of one thing that it looked at."""

import enum
import os
from pathlib import Path
from typing import NamedTuple


class Verdict(enum.Enum):
    """What a finding means for the operator."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class Finding(NamedTuple):
    """One thing looked at."""

    verdict: Verdict
    what: str
    detail: str


def ground(folder: Path) -> Path:
    """Return the folder itself if it is there, else the nearest thing above it that is."""
    folder = folder.absolute()
    return next((path for path in (folder, *folder.parents) if os.path.exists(path)), Path("/"))  # noqa: PTH110 - Path.exists() raises where it may not look


def folder_fault(folder: Path) -> str | None:
    """Return why nothing could be written into a folder, which is made if need be; None if it could."""
    there = ground(folder)
    if not there.is_dir():
        return f"{there} is not a folder"
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return f"{there} is mounted read-only: a card does that at its end (dmesg), else mount -o remount,rw"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} cannot be written: give it to the gateway's user (chown), or choose another folder"
    return None


def file_fault(path: Path) -> str | None:
    """Return why a file could not be read; None if it could."""
    if os.access(path, os.R_OK) and path.is_file():
        return None
    return f"{path} cannot be read: is it there, and the gateway's user's to read?"
