"""Asking upstreams over HTTP and NATS whether they would let us in, without leaving anything there."""

import asyncio
import ssl
from urllib.parse import urlsplit

import httpx

from derb_gateway.errors import SinkRefused, SinkRetry
from derb_gateway.findings import Finding, Verdict
from derb_gateway.sink_settings import NatsSinkSettings, NgsiLdSinkSettings, Upstream
from derb_gateway.sinks.http_upstream import HttpUpstream

_ENTITIES = "/ngsi-ld/v1/entities?type=ParkingSpot&limit=1"
_NOT_US = {401, 403}
_NOT_THERE = 404


async def check_http(what: str, sink: Upstream) -> Finding:
    """An upstream that is away is no mistake of the gateway's; one that does not know us is."""
    ngsi = isinstance(sink, NgsiLdSinkSettings)
    url = sink.url.rstrip("/") + _ENTITIES if ngsi else sink.url
    parts = urlsplit(sink.url)
    where = f"{parts.scheme}://{parts.netloc}"
    try:
        status = await _status("GET" if ngsi else "HEAD", url, sink)
    except (SinkRetry, SinkRefused, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
        told = f"{where}: {error}: see url and tls; until then readings wait here"
        return Finding(Verdict.WARN, what, told)
    if status in _NOT_US:
        return Finding(
            Verdict.BAD, what, f"{where} answers {status}: see token_file, or username and password_file"
        )
    if status == _NOT_THERE and ngsi:
        return Finding(Verdict.BAD, what, f"{where} answers 404: no NGSI-LD broker there? see url")
    clear = parts.scheme == "http" and not _is_here(parts.hostname or "")
    if clear and (sink.token_file or sink.username):
        return Finding(
            Verdict.WARN, what, f"{where} answers, but the login goes there in the clear: use https"
        )
    return Finding(Verdict.OK, what, f"{where} answers ({status})")


async def check_nats(what: str, sink: NatsSinkSettings) -> Finding:
    """A stream must take our subject, or nothing is ever acknowledged."""
    from nats.errors import Error
    from nats.js.errors import NotFoundError

    from derb_gateway.sinks.nats_sink import nats_connection

    where = ", ".join(sink.servers)
    try:
        async with asyncio.timeout(sink.timeout_s):
            client = await nats_connection(sink)
            try:
                name = await client.jetstream().find_stream_name_by_subject(f"{sink.subject}.>")
            finally:
                await client.close()
    except NotFoundError:
        if sink.stream is not None:
            return Finding(Verdict.OK, what, f"{where} lets us in; stream {sink.stream} will be made")
        told = f'{where}: no stream takes {sink.subject}.>: make one, or set stream = "DERB" to have it made'
        return Finding(Verdict.BAD, what, told)
    except (Error, OSError, ValueError, TimeoutError) as error:
        told = (
            f"{where}: {error or type(error).__name__}: see servers and login; until then readings wait here"
        )
        return Finding(Verdict.WARN, what, told)
    return Finding(Verdict.OK, what, f"{where} lets us in; stream {name}")


async def _status(method: str, url: str, sink: Upstream) -> int:
    upstream = HttpUpstream(sink)
    try:
        return await upstream.ask(method, url)
    finally:
        await upstream.close()


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
