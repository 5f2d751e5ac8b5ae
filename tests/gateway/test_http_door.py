"""The door says yes with 200 and no with 503 and why; a port that cannot be had is said before anything else."""

import asyncio
import socket

import httpx
import pytest
from derb_gateway.config import HttpSettings
from derb_gateway.errors import ConfigError
from derb_gateway.http_door import HttpDoor, http_app, listen
from derb_gateway.measures import Measures


class Door:
    """A door that is open, and what it is told."""

    def __init__(self) -> None:
        self.stalls: list[str] = []
        self.obstacles: list[str] = []
        self.measures = Measures()
        listener = listen(HttpSettings.model_construct(bind="127.0.0.1", port=0))
        self.port = listener.getsockname()[1]
        app = http_app(lambda: self.stalls, lambda: self.obstacles, self.measures.registry)
        self.door = HttpDoor(listener, app)

    async def __aenter__(self) -> "Door":
        self.task = asyncio.create_task(self.door.run())
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        self.door.stop()
        await asyncio.wait_for(self.task, 5)


async def test_yes_is_200_and_no_is_503_with_the_reasons() -> None:
    async with Door() as door:
        alive = await door.client.get("/healthz")
        assert (alive.status_code, alive.json()) == (200, {"alive": True, "why_not": []})
        door.obstacles = ["not connected"]
        ready = await door.client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"ready": False, "why_not": ["not connected"]})
        assert ready.headers["cache-control"] == "no-store"
        door.stalls = ["writer"]
        assert (await door.client.get("/healthz")).status_code == 503


async def test_metrics_are_in_prometheus_own_format() -> None:
    async with Door() as door:
        door.measures.committed(0.004)
        door.measures.confirmed(0.02)
        answer = await door.client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert 'derb_commit_seconds_bucket{le="0.005"} 1.0' in answer.text
        assert "derb_receipt_seconds_sum 0.02" in answer.text


async def test_nothing_else_is_answered_and_nothing_can_be_changed() -> None:
    async with Door() as door:
        assert (await door.client.get("/")).status_code == 404
        assert (await door.client.post("/readyz")).status_code == 405


async def test_an_odd_client_harms_nobody() -> None:
    async with Door() as door:
        for raw in (b"\x00" * 100, b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 100_000, b"GET"):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(raw)
            writer.close()
        assert (await door.client.get("/healthz")).status_code == 200


def test_a_taken_port_is_an_error_of_the_configuration() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"http\.bind, http\.port: cannot listen at 127\.0\.0\.1:\d+"):
            listen(HttpSettings(port=taken.getsockname()[1]))


def test_it_listens_on_this_machine_only_unless_told_otherwise() -> None:
    assert HttpSettings().bind == "127.0.0.1"
