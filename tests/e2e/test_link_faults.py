"""Whatever the connection does at whichever byte: asleep within the budget, nothing lost, nothing doubled."""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.hostile import HostileProxy, Plan, Way
from tests.e2e.rig import Rig, planned

BUDGET_MS = 4000 + 15_000  # awake_ms and the watchdog's margin
STEP = int(os.environ.get("DERB_FAULT_STEP", "4"))  # every so many bytes; 1 for the long campaign
BYTES = {"up": 170, "down": 60}


def plans() -> list[Plan]:
    found = [Plan("none")]
    ways: tuple[Way, ...] = ("up", "down")
    for way in ways:
        for deed, step in (("reset", STEP), ("truncate", STEP), ("garbage", STEP), ("silence", 6 * STEP)):
            found += [Plan(deed, way, after) for after in range(0, BYTES[way], step)]  # type: ignore[arg-type]
    return found


async def test_a_fault_at_any_byte_of_an_exchange_loses_and_doubles_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300, report_every=1)
    begun = time.monotonic()
    met = 0
    async with Rig(tmp_path, [node]) as rig:
        proxy = HostileProxy(rig.ports.street)
        board = rig.boards[node.id]
        board.site = replace(board.site, hosts={"gateway.derb": ("127.0.0.1", proxy.port)})
        board.network_speed = 4
        for plan in plans():
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
            f"\n  {len(plans())} connections, {met} of them met with a fault at their byte, in {time.monotonic() - begun:.0f} s:"
            f" {len(rig.ledger.kept())} readings kept, 0 lost, 0 doubled"
        )
    assert met > len(plans()) // 2
