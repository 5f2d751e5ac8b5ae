"""Nothing a node kept is lost or doubled when the gateway or the broker is killed at random moments."""

import asyncio
import random
import time
from pathlib import Path

import pytest
from gateway.kit import eventually

from tests.e2e.rig import Rig, planned

SEED = 20261122
KILLS = 20
ENOUGH = 50  # readings


@pytest.mark.parametrize("victim", ["gateway", "street broker"])
async def test_20_kills_lose_and_double_nothing(
    victim: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(f"{SEED} {victim}")
    nodes = [planned(tmp_path, number, "parking" if number % 2 else "level") for number in range(6)]
    async with Rig(tmp_path, nodes) as rig:
        over = asyncio.Event()

        def live(node: str) -> None:
            while not over.is_set():
                rig.wake(node)

        street = asyncio.create_task(rig.each(live))
        process = rig.gateway if victim == "gateway" else rig.street_broker
        began = time.monotonic()
        for _ in range(KILLS):
            await asyncio.sleep(rng.uniform(0.1, 2.5))
            process.kill()
            await asyncio.sleep(rng.uniform(0.0, 0.3))
            await asyncio.to_thread(process.start)
        # However slow the machine, the street lives long enough for its word to mean something.
        await eventually(lambda: sum(len(node.kept) for node in rig.ledger.nodes.values()) >= ENOUGH)
        over.set()
        await street
        await rig.drain()
        kept = rig.ledger.kept()
        await rig.arrived_upstream(len(kept))
        assert rig.gateway.stop() == 0
        city, files = rig.balances()
    with capsys.disabled():
        print(
            f"\n  {KILLS} kills of the {victim} in {time.monotonic() - began:.0f} s: kept {len(kept)}, upstream {city.arrived}"
            f" ({rig.upstream.repeats} repeats recognised), in files {files.arrived}"
        )
    assert not rig.crashes, rig.crashes[0]
    assert city.sound, city
    assert files.sound, files
