"""A file over HTTP, resumed where it stopped: a street's network breaks off, and begins again."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import tenacity
from tenacity.wait import wait_base

from derb_tools.errors import PartMissing

LARGEST_BYTES = 32 << 20
_TRIES = 5
_TIMEOUT_S = 20.0
_PARTIAL, _OK, _RANGE_NOT_SATISFIABLE = 206, 200, 416

Told = Callable[[int, int | None], None]
"""Called with the bytes that are here and, where it is known, how many there will be."""

BACKOFF = tenacity.wait_exponential(multiplier=0.5, max=8)


class _CutOff(Exception):
    """The connection ended before the file did."""


def fetch(url: str, target: Path, told: Told = lambda _here, _all: None, wait: wait_base = BACKOFF) -> None:
    """Fetch `url` into `target`; what came is kept in `target`.part and gone on from, also by the next run. PartMissing."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=wait,
        retry=tenacity.retry_if_exception_type(
            (httpx.NetworkError, httpx.TimeoutException, httpx.ProtocolError, _CutOff)
        ),
        reraise=True,
    )
    part = target.with_name(target.name + ".part")
    try:
        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as client:
            retrying(_go_on, client, url, part, told)
    except (httpx.HTTPError, httpx.InvalidURL, _CutOff) as error:
        raise PartMissing(
            f"cannot fetch {url}: {str(error) or type(error).__name__}. What came is kept and gone on from; "
            "try again with a network, or bring the file on a stick: --image FILE"
        ) from None
    part.replace(target)
    _note(part).unlink(missing_ok=True)


def _go_on(client: httpx.Client, url: str, part: Path, told: Told) -> None:
    here = part.stat().st_size if part.exists() else 0
    with client.stream("GET", url, headers=_headers(part, here)) as response:
        if response.status_code == _RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise _CutOff("what was kept does not fit the file any more")
        if response.status_code not in (_OK, _PARTIAL):
            raise PartMissing(
                f"cannot fetch {url}: {response.status_code} {response.reason_phrase}; look there for the image and "
                "bring it: --image FILE"
            )
        if response.status_code == _OK:
            here = 0
        _note(part).write_text(response.headers.get("etag", ""), "utf-8")
        _append(response, part, here, told)


def _headers(part: Path, here: int) -> dict[str, str]:
    """Ask for the rest, of the very same file; without its mark all of it is asked for anew."""
    mark = _note(part).read_text("utf-8") if _note(part).exists() else ""
    identity = {"Accept-Encoding": "identity"}
    if not here or not mark or mark.startswith("W/"):
        return identity
    return {**identity, "Range": f"bytes={here}-", "If-Range": mark}


def _append(response: httpx.Response, part: Path, here: int, told: Told) -> None:
    length = response.headers.get("content-length", "")
    whole = here + int(length) if length.isdigit() else None
    with part.open("r+b" if here else "wb") as file:
        file.seek(here)
        file.truncate()
        for chunk in response.iter_raw():
            file.write(chunk)
            here += len(chunk)
            if here > LARGEST_BYTES:
                raise PartMissing(f"{response.url} is larger than any image: is it the right address?")
            told(here, whole)
        file.flush()
        os.fsync(file.fileno())
    if whole is not None and here < whole:
        raise _CutOff(f"{here} of {whole} bytes came")


def _note(part: Path) -> Path:
    return part.with_name(part.name + "-etag")
