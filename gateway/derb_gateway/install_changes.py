"""What an installation changes on a machine, one thing at a time, so noted that each can be taken back exactly.

All paths are those of the machine, below a `root` that is `/` but for tests and images.
"""

import base64
import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field


def _plain(path: str) -> str:
    if not path.startswith("/") or ".." in Path(path).parts:
        raise ValueError("is not an absolute path without ..")
    return path


MachinePath = Annotated[str, AfterValidator(_plain)]


def under(root: Path, path: str) -> Path:
    """Return where a path of the machine is below a root."""
    return root / path.lstrip("/")


class Folder(BaseModel):
    """A folder that was not there."""

    kind: Literal["folder"] = "folder"
    path: MachinePath
    mode: int = 0o755

    def do(self, root: Path) -> None:
        """Make it; its parent must be there."""
        folder = under(root, self.path)
        folder.mkdir(exist_ok=True)
        folder.chmod(self.mode)

    def undo(self, root: Path, *, force: bool) -> str | None:
        """Take it away if it is empty; return why not."""
        folder = under(root, self.path)
        if not folder.is_dir():
            return None
        if any(folder.iterdir()):
            return f"{self.path} is not empty"
        folder.rmdir()
        return None


class Before(BaseModel):
    """A file as it was."""

    content_base64: str
    mode: int

    @classmethod
    def of(cls, path: Path) -> "Before | None":
        """Return what a file holds, None if there is none."""
        if not path.is_file():
            return None
        content = base64.b64encode(path.read_bytes()).decode()
        return cls(content_base64=content, mode=path.stat().st_mode & 0o7777)


class File(BaseModel):
    """A file that was written, and what was there before."""

    kind: Literal["file"] = "file"
    path: MachinePath
    mode: int = 0o644
    text: str = Field(default="", exclude=True)  # the manifest need not hold it
    sha256: str = ""
    before: Before | None = None

    def do(self, root: Path) -> None:
        """Write it, whole or not at all."""
        path = under(root, self.path)
        new = path.with_name(path.name + ".new")
        new.unlink(missing_ok=True)
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(self.text)
        new.chmod(self.mode)
        new.replace(path)

    def undo(self, root: Path, *, force: bool) -> str | None:
        """Put back what was there; what somebody has changed since stays, unless `force`; return why it stayed."""
        path = under(root, self.path)
        if not path.is_file():
            return None
        if not force and digest(path.read_bytes()) != self.sha256:
            return f"{self.path} was changed since"
        if self.before is None:
            path.unlink()
        else:
            path.write_bytes(base64.b64decode(self.before.content_base64))
            path.chmod(self.before.mode)
        return None


class Link(BaseModel):
    """A symbolic link that was made: how systemd notes that a unit starts at boot."""

    kind: Literal["link"] = "link"
    path: MachinePath
    target: str

    def do(self, root: Path) -> None:
        """Make it."""
        link = under(root, self.path)
        link.unlink(missing_ok=True)
        link.symlink_to(self.target)

    def undo(self, root: Path, *, force: bool) -> str | None:
        """Take it away if it is still this one."""
        link = under(root, self.path)
        if link.is_symlink() and str(link.readlink()) == self.target:
            link.unlink()
        return None


class Unlink(BaseModel):
    """A symbolic link that was taken away."""

    kind: Literal["unlink"] = "unlink"
    path: MachinePath
    target: str

    def do(self, root: Path) -> None:
        """Take it away."""
        under(root, self.path).unlink(missing_ok=True)

    def undo(self, root: Path, *, force: bool) -> str | None:
        """Put it back, unless somebody put another one there."""
        link = under(root, self.path)
        if not link.is_symlink() and not link.exists():
            link.symlink_to(self.target)
        return None


Change = Annotated[Folder | File | Link | Unlink, Field(discriminator="kind")]


def digest(content: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
