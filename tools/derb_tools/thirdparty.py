"""Other people's parts that no installer can bring: fetched once, checked against a pinned hash, kept.

`umqtt.simple` is frozen in the official ESP32 image, so it is not in this repository; on a laptop the
simulated board needs a copy. PyPI's has no setup script, so pip cannot install it.
"""

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from derb_tools.errors import PartMissing, ToolError

UMQTT_PROJECT = "micropython-umqtt.simple"
UMQTT_VERSION = "1.3.4"
UMQTT_SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"


def umqtt_dir() -> Path:
    """A folder for the board's `sys.path` in which `umqtt/simple.py` is. Raises PartMissing.

    Fetched from PyPI at the first call ever; no network afterwards.
    """
    folder = cache_dir() / f"umqtt.simple-{UMQTT_VERSION}"
    if not (folder / "umqtt" / "simple.py").is_file():
        _fetch_umqtt(folder)
    return folder


def cache_dir() -> Path:
    """Where fetched parts are kept: DERB_CACHE, else `derb` in the user's cache folder."""
    if chosen := os.environ.get("DERB_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "derb"


def _fetch_umqtt(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            archive = Path(temporary) / "umqtt.tar.gz"
            _download(UMQTT_PROJECT, UMQTT_VERSION, archive)
            _check_hash(archive, UMQTT_SHA256)
            _move_into_place(unpack(archive, Path(temporary) / "unpacked"), folder)
    except OSError as error:
        raise PartMissing(f"cannot keep {UMQTT_PROJECT} in {folder.parent}: {error}") from error


def _download(project: str, version: str, target: Path) -> None:
    """One sdist from the package index, by its ordinary client."""
    try:
        from pypi_simple import PyPISimple
    except ModuleNotFoundError as error:
        raise PartMissing(f'{project} must be fetched from PyPI: pip install "derb[tools]"') from error
    try:
        with PyPISimple() as index:
            packages = index.get_project_page(project).packages
            sdists = (item for item in packages if item.package_type == "sdist")
            sdist = next(item for item in sdists if item.version == version)
            index.download_package(sdist, target, verify=True)
    except StopIteration:
        raise PartMissing(f"PyPI no longer has {project} {version}") from None
    except Exception as error:  # the client's own errors and those of the two libraries below it
        raise PartMissing(
            f"cannot fetch {project} {version} from PyPI, which is needed once: {error}. "
            "Connect to the internet and run this again"
        ) from error


def _check_hash(archive: Path, sha256: str) -> None:
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        raise PartMissing(
            f"PyPI's {UMQTT_PROJECT} {UMQTT_VERSION} is not the one pinned: its sha256 is {found}"
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
        raise PartMissing(f"the archive of {UMQTT_PROJECT} is damaged: {error}") from error
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
        print(umqtt_dir())
    except ToolError as problem:
        sys.exit(str(problem))
