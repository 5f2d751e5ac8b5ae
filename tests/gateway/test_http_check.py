"""The HTTP door's port is tried before a start; of a gateway that runs, the door itself is asked."""

import socket

import httpx
import pytest
from derb_gateway.config import HttpSettings
from derb_gateway.findings import Finding, Verdict
from derb_gateway.http_check import check_http
from gateway.kit import free_port
from gateway.test_http_door import Door


async def found(settings: HttpSettings | None, *, running: bool) -> list[Finding]:
    return [finding async for finding in check_http(settings, running=running)]


async def test_without_a_section_there_is_nothing_to_say() -> None:
    assert await found(None, running=False) == []


async def test_a_free_port_and_a_taken_one() -> None:
    (free,) = await found(HttpSettings(port=free_port()), running=False)
    assert (free.verdict, "is free" in free.detail) == (Verdict.OK, True)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        (taken,) = await found(HttpSettings(port=other.getsockname()[1]), running=False)
    assert (taken.verdict, "Address already in use" in taken.detail) == (Verdict.BAD, True)


async def test_a_gateway_that_runs_is_asked() -> None:
    async with Door() as door:
        settings = HttpSettings(port=door.port)
        (ready,) = await found(settings, running=True)
        door.obstacles = ["not connected"]
        (not_ready,) = await found(settings, running=True)
    assert (ready.verdict, not_ready.verdict) == (Verdict.OK, Verdict.BAD)
    assert not_ready.detail == "the gateway is not ready: not connected"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"why_not": 7}'])
async def test_somebody_else_at_the_port_is_no_gateway(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*_: object, **__: object) -> httpx.Response:
        return httpx.Response(200, content=body)

    monkeypatch.setattr("httpx.AsyncClient.get", answer)
    (finding,) = await found(HttpSettings(port=free_port()), running=True)
    assert (finding.verdict, "does not answer as a gateway does" in finding.detail) == (Verdict.BAD, True)


async def test_a_port_that_a_gateway_has_is_told_as_what_it_says() -> None:
    async with Door() as door:
        door.obstacles = ["the store took nothing"]
        (finding,) = await found(HttpSettings(port=door.port), running=False)
    assert finding.detail == "the gateway is not ready: the store took nothing"


async def test_nobody_at_the_port() -> None:
    (finding,) = await found(HttpSettings(port=free_port()), running=True)
    assert finding.verdict is Verdict.BAD
