"""One relay's connection: what its life must not miss. The rest is told at a running intake (test_relay_intake.py)."""

import asyncio
import os
import select
import tty
from collections.abc import Iterator

import pytest
from derb_gateway.clock import Clock
from derb_gateway.config import RelaySettings
from derb_gateway.relay_connection import RelayConnection
from derb_gateway.relay_line import Ended
from derb_gateway.relay_messages import RelayUplink
from gateway.kit import eventually


class Nobody:
    """An owner who takes nothing."""

    def heard(self, relay: RelayConnection, uplink: RelayUplink, waited_s: float) -> bool:
        return False

    def ended(self, relay: RelayConnection, order: Ended) -> None:
        pass

    def described(self, relay: RelayConnection) -> None:
        pass


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The relay's end of a pseudo-terminal and the gateway's."""
    near, far = os.openpty()
    tty.setraw(far)
    yield near, far
    os.close(near)
    os.close(far)


@pytest.mark.parametrize("turns", range(6))
async def test_it_ends_though_bytes_come_in_the_very_moment_in_which_it_is_told_to(
    terminal: tuple[int, int], turns: int
) -> None:
    relay, port = terminal
    settings = RelaySettings.model_validate({"name": "north", "port": os.ttyname(port)})
    connection = RelayConnection(settings, Nobody(), Clock(), set())
    life = asyncio.create_task(connection.run())
    await eventually(lambda: connection.line is not None)
    os.write(relay, b"x")
    assert select.select([port], [], [], 5)[0], (
        "the loop has not looked yet, so the turn is the same each time"
    )
    for _ in range(turns):
        await asyncio.sleep(0)
    life.cancel()
    _, living = await asyncio.wait([life], timeout=0.5)
    life.cancel()
    assert not living
