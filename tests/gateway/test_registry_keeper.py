"""What a registry leads to while the gateway runs, by its own clock."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from derb_gateway.intake import Intake
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.progress import Progress
from derb_gateway.registry import Registry, Term, parse_registry, registry_of
from derb_gateway.registry_keeper import RegistryKeeper
from derb_gateway.side_door import SideDoor
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from gateway.kit import NODE, NOW_MS, OTHER, OTHER_KEY, STRANGER, StillClock, arrival, frame, registry
from gateway.test_registry import NODES, PLACES


class Gateway:
    """A keeper and what it works on."""

    def __init__(self, path: Path) -> None:
        self.clock = StillClock()
        self.registry = registry()
        self.store = Store(path)
        self.intake = Intake(self.registry)
        self.writer = Writer(self.store, self.intake.forget)
        self.progress = Progress(self.store.last_id())
        self.orders = OrderBook(orders_path(path))
        self.keeper = RegistryKeeper(
            lambda: self.registry,
            self.put_in_force,
            self.clock,
            SideDoor(self.writer, self.intake, self.progress, self.orders),
            self.orders,
        )

    def put_in_force(self, registry: Registry) -> None:
        self.registry = self.intake.registry = registry

    def close(self) -> None:
        self.writer.close()
        self.orders.close()
        self.store.close()


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path / "derb.sqlite3")
    yield gateway
    gateway.close()


async def test_a_key_ends_when_its_grace_does_without_anybody_looking(gateway: Gateway) -> None:
    gateway.put_in_force(replace(gateway.registry, terms={NODE: Term(0, NOW_MS, NOW_MS + 1_000)}))
    await gateway.keeper.look()
    assert gateway.registry.keys.keys() == {NODE, OTHER}
    gateway.clock.pass_s(1)
    await gateway.keeper.look()
    assert gateway.registry.keys.keys() == {OTHER}
    assert gateway.registry.is_revoked(NODE)


@pytest.mark.parametrize("restarted", [False, True])
async def test_who_was_accepted_is_let_in_whether_the_gateway_ran_then_or_not(
    gateway: Gateway, restarted: bool
) -> None:
    message = arrival(frame(0, node=STRANGER, key=OTHER_KEY), node=STRANGER)
    await gateway.writer.do(lambda store: gateway.intake.take(store, [message]))
    if not restarted:
        await gateway.keeper.look()
    before = gateway.progress.last_id
    gateway.registry.keys[STRANGER] = OTHER_KEY
    if not restarted:
        gateway.keeper.changed()
    await gateway.keeper.look()
    assert gateway.progress.last_id == before + 1  # the sinks are told
    assert gateway.store.values(STRANGER, 1, 0, 0).keys() == {0}


async def test_places_are_closed_and_opened_by_the_gateways_clock_and_the_sinks_are_told(
    gateway: Gateway,
) -> None:
    rule = '[[closed]]\nbay = "b1"\nfrom = "2026-11-18T12:06:50+01:00"\nuntil = "2026-11-18T12:07:00+01:00"\n'
    gateway.put_in_force(registry_of(parse_registry(NODES + PLACES + rule, Path("registry.toml"))))
    gateway.keeper.changed()
    said = []
    for _ in range(6):
        before = gateway.progress.last_id
        await gateway.keeper.look()
        said.append(gateway.progress.last_id - before)
        gateway.clock.pass_s(5)
    assert said == [0, 0, 1, 0, 1, 0]  # at 12:06:40 and every 5 s
