"""Whatever the connection does at whichever byte, with TLS or without: asleep within the budget, nothing lost or doubled."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.campaign import chosen, how_much
from tests.e2e.hostile import LATE_S, Deed, HostileProxy, Plan, Way
from tests.e2e.rig import Rig, free_port, planned
from tests.e2e.tls_broker import TLS, Tls, listen_with_tls

BUDGET_MS = 4000 + 15_000  # awake_ms and the watchdog's margin
AT_ONCE: tuple[Deed, ...] = ("reset", "truncate", "garbage")
SLOW: tuple[Deed, ...] = ("silence", "late", "drip")
SLOW_STEP = 18  # a connection that is slow or says nothing costs its whole budget
SAMPLE = 30
# Of an exchange with its handshake; a fault beyond its end is none.
BYTES: dict[Tls, dict[Way, int]] = {
    "off": {"up": 160, "down": 100},
    "psk": {"up": 900, "down": 420},
    "ca": {"up": 1000, "down": 1140},
}


def plans(tls: Tls) -> list[Plan]:
    found = [Plan("none")]
    for way, most in BYTES[tls].items():
        found += [Plan(deed, way, after) for deed in AT_ONCE for after in range(most)]
        for number, deed in enumerate(SLOW):
            found += [Plan(deed, way, after) for after in range(number * SLOW_STEP // 3, most, SLOW_STEP)]
    return found


@pytest.mark.parametrize("tls", TLS)
async def test_a_fault_at_any_byte_of_an_exchange_loses_and_doubles_nothing(
    tls: Tls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300, report_every=1, tls=tls)
    every = plans(tls)
    tried = chosen(every, SAMPLE, f"link faults {tls}")
    begun = time.monotonic()
    met = 0
    rig = Rig(tmp_path, [node])
    board = rig.boards[node.id]
    port = rig.ports.street
    if tls != "off":
        port = free_port()
        listen_with_tls(tmp_path / "street" / "mosquitto.conf", tls, port, node, board)
    async with rig:
        proxy = HostileProxy(port)
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
        await asyncio.sleep(LATE_S)
        assert rig.gateway.stop() == 0
        proxy.close()
        assert rig.crashes == []
        assert all(balance.sound for balance in rig.balances()), rig.balances()
    with capsys.disabled():
        print(
            f"\n  TLS {tls}: {how_much(len(tried), len(every))} connections, {met} of them met with a fault at their byte,"
            f" in {time.monotonic() - begun:.0f} s:"
            f" {len(rig.ledger.kept())} readings kept, 0 lost, 0 doubled"
        )
    assert met > len(tried) // 2
