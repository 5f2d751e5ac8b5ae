"""The MicroPython images on this laptop: fetched once, the same for ever after by a lock file, or brought by hand."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from derb_tools.errors import ImageRefused, ToolError
from derb_tools.flash.download import Told, fetch
from derb_tools.thirdparty import cache_dir

RELEASE = "20250415-v1.25.0"
SITE = "https://micropython.org/resources/firmware"


Check = Callable[[bytes], object]
"""Raises ImageRefused for what is no image for the board."""


@dataclass(frozen=True)
class ImageStore:
    """`folder`: where images are kept; `lock`: what each of them must be; `site`: where they come from."""

    folder: Path
    lock: Path
    site: str = SITE

    def image(self, name: str, check: Check, told: Told = lambda _here, _all: None) -> Path:
        """The image that a board file calls `name`; at its first use fetched, checked and pinned. PartMissing, ImageRefused."""
        file = self.folder / f"{name}-{RELEASE}.bin"
        pinned = self._pins().get(file.name)
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            fetch(f"{self.site}/{file.name}", file, told)
        content = file.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if pinned is None:
            self._pin_good(file, content, check)
        elif found != pinned:
            file.unlink()
            raise ImageRefused(
                f"{file.name} is not the one pinned in {self.lock}: its sha256 is {found}, pinned is {pinned}. It was "
                "deleted; try again, and if it comes out the same, take its line out of the lock file only if you know why"
            )
        return file

    def _pin_good(self, file: Path, content: bytes, check: Check) -> None:
        try:
            check(content)
        except ImageRefused as refused:
            file.unlink()
            raise ImageRefused(
                f"{refused}. It was deleted: does this network want a log-in first? Try again, or bring the file: --image FILE"
            ) from None
        self._pin(file.name, hashlib.sha256(content).hexdigest())

    def _pins(self) -> dict[str, str]:
        try:
            read = json.loads(self.lock.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ToolError(
                f"{self.lock}: is not JSON ({error}); mend it, or delete it to pin all images anew"
            ) from None
        if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
            raise ToolError(f"{self.lock}: must be an object of file names and sha256; mend or delete it")
        return read

    def _pin(self, name: str, sha256: str) -> None:
        self.lock.parent.mkdir(parents=True, exist_ok=True)
        partly = self.lock.with_name(self.lock.name + ".new")
        partly.write_text(json.dumps({**self._pins(), name: sha256}, indent=1, sort_keys=True) + "\n")
        partly.replace(self.lock)


def default_store(lock: Path | None = None) -> ImageStore:
    """The store in the user's cache; the lock file beside the images unless another is named."""
    folder = cache_dir() / "images"
    return ImageStore(folder, lock or folder / "images.lock")
