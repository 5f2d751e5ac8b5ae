"""Whatever the connection does at whichever byte: asleep within the budget, nothing lost, nothing doubled."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.campaign import chosen, how_much
from tests.e2e.hostile import HostileProxy, Plan, Way
from tests.e2e.rig import Rig, planned

BUDGET_MS = 4000 + 15_000  # awake_ms and the watchdog's margin
SILENCE_STEP = 6  # a connection that says nothing costs its whole budget
SAMPLE = 80
BYTES = {"up": 170, "down": 60}


def plans() -> list[Plan]:
    found = [Plan("none")]
    ways: tuple[Way, ...] = ("up", "down")
    for way in ways:
        for deed, step in (("reset", 1), ("truncate", 1), ("garbage", 1), ("silence", SILENCE_STEP)):
            found += [Plan(deed, way, after) for after in range(0, BYTES[way], step)]  # type: ignore[arg-type]
    return found


async def test_a_fault_at_any_byte_of_an_exchange_loses_and_doubles_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300, report_every=1)
    every = plans()
    tried = chosen(every, SAMPLE, "link faults")
    begun = time.monotonic()
    met = 0
    async with Rig(tmp_path, [node]) as rig:
        proxy = HostileProxy(rig.ports.street)
        board = rig.boards[node.id]
        board.site = replace(board.site, hosts={"gateway.derb": ("127.0.0.1", proxy.port)})
        board.network_speed = 4
        for plan in tried:
            proxy.set(plan)
            for _ in range(4):  # a wake between two attempts may have nothing to send
                result = await asyncio.to_thread(rig.wake, node.id)
                assert result.end == "deepsleep", (plan, result)
                assert result.awake_ms < BUDGET_MS, (plan, result)
                if proxy.connections:
                    break
            met += proxy.met
        proxy.set(Plan())
        await rig.drain()
        await rig.arrived_upstream(len(rig.ledger.kept()))
        assert rig.gateway.stop() == 0
        proxy.close()
        assert rig.crashes == []
        assert all(balance.sound for balance in rig.balances()), rig.balances()
    with capsys.disabled():
        print(
            f"\n  {how_much(len(tried), len(every))} connections, {met} of them met with a fault at their byte,"
            f" in {time.monotonic() - begun:.0f} s:"
            f" {len(rig.ledger.kept())} readings kept, 0 lost, 0 doubled"
        )
    assert met > len(tried) // 2
