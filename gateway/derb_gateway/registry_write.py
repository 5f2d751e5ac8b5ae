"""Changing the registry file: checked before it is written, whole or not at all, nobody else's to read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from derb_gateway.errors import ConfigError
from derb_gateway.registry import parse_registry
from derb_gateway.registry_text import RegistryText
from derb_gateway.toml_model import read_text


@contextmanager
def edited(path: Path) -> Iterator[RegistryText]:
    """Hand out the registry to be changed, and write it back if it is a sound one then; ConfigError, and nothing is changed.

    One at a time: a second editor waits. The file's owner stays its owner, also when root changes it.
    """
    path = path.resolve()  # of a link, what it leads to
    with _alone(path):
        before = read_text(path)
        parse_registry(before, path)
        text = RegistryText(before)
        yield text
        after = str(text)
        if after != before:
            _check(after, path)
            replace_file(path, after)


def _check(text: str, path: Path) -> None:
    try:
        parse_registry(text, path)
    except ConfigError as error:
        told = f"{path}: not changed; with this change, in its lines as they would be:"
        raise ConfigError([told, *error.problems]) from None


def replace_file(path: Path, text: str) -> None:
    """Write a file by way of a temporary one, mode 0600, on the disk when this returns; ConfigError."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            _give_to_owner(file.fileno(), path)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None


def _give_to_owner(descriptor: int, path: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):  # a new file is its maker's
        had = path.stat()
        if (had.st_uid, had.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(descriptor, had.st_uid, had.st_gid)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the file's folder, so that two editors do not undo each other's work."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
