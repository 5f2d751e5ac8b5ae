"""NDJSON by POST, one reading a line, under a key by which the upstream can tell a repeat."""

import gzip
import hashlib
import json

import zstandard

from derb_gateway.errors import SinkPartly, SinkRetry
from derb_gateway.sink_settings import HttpSinkSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.http_upstream import Answer, HttpUpstream, short

_LEVEL = 6  # of gzip
_PARTLY = 207


class HttpSink:
    """One URL. A status of 200 to 299 says that all is taken, but for what the answer names."""

    def __init__(self, settings: HttpSinkSettings, site: str) -> None:
        self._settings = settings
        self._site = site
        self._upstream = HttpUpstream(settings)

    async def open(self, state: str | None) -> str | None:
        """Do nothing: `deliver` connects."""
        return state

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Post and read the answer. SinkRetry, SinkPartly, SinkRefused."""
        lines = "".join(json.dumps(reading, separators=(",", ":")) + "\n" for reading in batch.readings)
        answer = await self._upstream.post(
            self._settings.url, self._packed(lines.encode()), self._headers(batch)
        )
        refused, again = _named(answer, [str(reading["key"]) for reading in batch.readings])
        if refused or again:
            raise SinkPartly(refused, again)
        return state

    async def close(self) -> None:
        """Let go of the connections."""
        await self._upstream.close()

    def _headers(self, batch: Batch) -> dict[str, str]:
        headers = {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": idempotency_key(self._settings.name, batch),
            "Derb-Site": self._site,
            "Derb-Lane": batch.lane,
        }
        if self._settings.compression != "none":
            headers["Content-Encoding"] = self._settings.compression
        return headers

    def _packed(self, lines: bytes) -> bytes:
        if self._settings.compression == "gzip":
            return gzip.compress(lines, _LEVEL, mtime=0)  # the same batch is the same bytes
        return zstandard.compress(lines) if self._settings.compression == "zstd" else lines


def idempotency_key(sink: str, batch: Batch) -> str:
    """Return what is the same whenever the same readings are sent in one batch, and different otherwise."""
    keys = "\n".join([sink, *(str(reading["key"]) for reading in batch.readings)])
    return hashlib.sha256(keys.encode()).hexdigest()[:32]


def _named(answer: Answer, keys: list[str]) -> tuple[dict[int, str], dict[int, str]]:
    """Return which readings the answer names as refused for good and for now, by their places in the batch."""
    rejected = _rejected(answer.body)
    if rejected is not None:
        return _places(rejected, keys)
    if answer.status == _PARTLY:
        msg = f"HTTP 207 that does not say which readings were rejected: {short(answer.body)}"
        raise SinkRetry(msg)
    return {}, {}  # a body in words, or none, beside a status that says that all is taken


def _rejected(body: bytes) -> list[object] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    rejected = told.get("rejected") if isinstance(told, dict) else None
    return rejected if isinstance(rejected, list) else None


def _places(rejected: list[object], keys: list[str]) -> tuple[dict[int, str], dict[int, str]]:
    place_of = {key: place for place, key in enumerate(keys)}
    refused: dict[int, str] = {}
    again: dict[int, str] = {}
    for each in rejected:
        if isinstance(each, dict) and (place := place_of.get(str(each.get("key")))) is not None:
            (again if each.get("retry") is True else refused)[place] = str(each.get("why", "rejected"))
    return refused, again
