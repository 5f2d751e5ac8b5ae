"""Whether the HTTP door's port can be had; of a gateway that runs, what it says there."""

from collections.abc import AsyncIterator
from contextlib import closing

import httpx

from derb_gateway.config import HttpSettings
from derb_gateway.errors import ConfigError
from derb_gateway.findings import Finding, Verdict

_PATIENCE_S = 5.0


async def check_http(settings: HttpSettings | None, *, running: bool) -> AsyncIterator[Finding]:
    """Yield nothing where there is no [http] section."""
    if settings is None:
        return
    fault = f"{_url(settings)} does not answer as a gateway does" if running else _port_fault(settings)
    if fault is None:
        yield Finding(Verdict.OK, "http", f"port {settings.port} is free")
    else:
        yield await _said(settings) or Finding(Verdict.BAD, "http", fault)


def _port_fault(settings: HttpSettings) -> str | None:
    from derb_gateway.http_door import listen  # what it needs takes time to load

    try:
        with closing(listen(settings)):
            return None
    except ConfigError as error:
        return str(error)


async def _said(settings: HttpSettings) -> Finding | None:
    """Return what a gateway says of itself there; None if none does."""
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE_S, trust_env=False) as client:
            answer = await client.get(_url(settings))
        why_not = [str(why) for why in answer.json()["why_not"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
    if why_not:
        return Finding(Verdict.BAD, "http", f"the gateway is not ready: {'; '.join(why_not)}")
    return Finding(Verdict.OK, "http", "the gateway says that it is ready")


def _url(settings: HttpSettings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.bind, settings.bind)  # noqa: S104 - asked, not bound
    return f"http://{host}:{settings.port}/readyz"
