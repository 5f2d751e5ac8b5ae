"""POST to an upstream that may be slow, rude or broken: what its answer means for the batch, decided in one place."""

import asyncio
import math
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from derb_gateway.errors import SinkRefused, SinkRetry
from derb_gateway.sink_settings import Upstream

ANSWER_KEPT_BYTES = 1_048_576  # an answer that names 10,000 readings one by one is about this long
_WHY_KEPT = 200
_WHOLE = 2.0  # times `timeout_s`, for an answer that drips byte by byte; httpx's own timeouts must come first, since only they
# let go of a socket in the middle of a TLS handshake
_OVERLOADED = {429, 503}
_SUSPECT = {500, 501}  # 502, 503 and 504 say that it is somebody else who is away
_HUNG_UP = (
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.WriteError,
)  # perhaps over what stands in the batch
_REFUSED = {400, 413, 414, 415, 422}  # the batch itself; other 4xx mean a wrong place or a wrong login


class Answer(NamedTuple):
    """What came back: a status below 300, and up to `ANSWER_KEPT_BYTES` of the body."""

    status: int
    body: bytes


class HttpUpstream:
    """One upstream, over connections that are kept between batches."""

    def __init__(self, settings: Upstream) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return an answer that says that the upstream took the batch, or a part of it. SinkRetry, SinkRefused."""
        answer, seen = await self._in_time("POST", url, body, headers)
        _judge(answer, seen)
        return answer

    async def ask(self, method: str, url: str) -> int:
        """Return the status of a request without a body. SinkRetry if there is no answer."""
        answer, _ = await self._in_time(method, url, b"", {})
        return answer.status

    async def _in_time(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Answer, httpx.Headers]:
        try:
            async with asyncio.timeout(
                self._settings.timeout_s
            ):  # an answer that drips byte by byte ends here
                return await self._asked(method, url, body, headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            msg = f"no answer in time ({self._settings.timeout_s:g} s)"
            suspect = not isinstance(error, httpx.ConnectTimeout)
            raise SinkRetry(msg, overloaded=True, suspect=suspect) from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            msg = f"{type(error).__name__}: {error}"
            raise SinkRetry(msg, suspect=isinstance(error, _HUNG_UP)) from error

    async def close(self) -> None:
        """Let go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _asked(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Answer, httpx.Headers]:
        if self._client is None:
            self._client = self._made()
        login = self._login()
        async with self._client.stream(method, url, content=body, headers={**headers, **login}) as response:
            return Answer(response.status_code, await _beginning(response)), response.headers

    def _made(self) -> httpx.AsyncClient:
        settings = self._settings
        return httpx.AsyncClient(
            verify=_tls_context(settings),
            headers={"User-Agent": "derb-gateway", "Accept-Encoding": "identity", **settings.headers},
            timeout=httpx.Timeout(settings.timeout_s, connect=settings.timeout_s / 2),
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=2, max_keepalive_connections=1),
        )

    def _login(self) -> dict[str, str]:
        """Read secrets anew each time: a token is changed in its file while the gateway runs."""
        settings = self._settings
        if settings.token_file is not None:
            return {"Authorization": f"Bearer {settings.token_file.read_text().strip()}"}
        if settings.username is not None and settings.password_file is not None:
            login = httpx.BasicAuth(settings.username, settings.password_file.read_text().strip())
            return {
                "Authorization": next(login.auth_flow(httpx.Request("POST", settings.url))).headers[
                    "Authorization"
                ]
            }
        return {}


def _tls_context(settings: Upstream) -> ssl.SSLContext:
    tls = settings.tls
    context = ssl.create_default_context(cafile=tls.ca_file if tls else None)
    if tls is not None and tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


async def _beginning(response: httpx.Response) -> bytes:
    """Read to the end, since only that shows that the answer is whole, but keep and unpack no more than a bound."""
    kept = bytearray()
    async for part in response.aiter_raw():
        kept += part
        if len(kept) > ANSWER_KEPT_BYTES:
            msg = f"an answer of more than {ANSWER_KEPT_BYTES} bytes"
            raise ValueError(msg)
    return bytes(kept)


def _judge(answer: Answer, headers: httpx.Headers) -> None:
    if 200 <= answer.status < 300:
        return
    why = f"HTTP {answer.status}: {short(answer.body)}"
    if answer.status in _REFUSED:
        raise SinkRefused(why)
    raise SinkRetry(
        why,
        overloaded=answer.status in _OVERLOADED,
        after_s=retry_after_s(headers.get("Retry-After")),
        suspect=answer.status in _SUSPECT,
    )


def short(body: bytes) -> str:
    """Return the beginning of an answer as one printable line."""
    text = body[:_WHY_KEPT].decode(errors="replace")
    return "".join(char if char.isprintable() else " " for char in text).strip() or "no words with it"


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds of a Retry-After, as a number or as a date (RFC 9110, 10.2.3); None if it makes no sense."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
