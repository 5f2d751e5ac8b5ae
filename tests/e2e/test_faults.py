"""A gateway under one fault after another, each at a random moment: nothing is lost or doubled, and it comes back by itself.

`make faults` runs all of it, RUNS faults from SEED, or those alone that have a word in their name; a test run takes a few.
"""

import asyncio
import os
import random
from collections import defaultdict
from pathlib import Path

import pytest
from campaign import FULL, how_much

from tests.e2e.fault_rig import fault_rig
from tests.e2e.faults import FAULTS, SHORT, WHOLE

SEED = int(os.environ.get("SEED", "20261128"))
RUNS = int(os.environ.get("RUNS", "200"))
ONLY = os.environ.get("ONLY", "")
# One of each kind that hurts in its own way, without those that a longer campaign is for.
SAMPLE = (
    "broker restarted empty",
    "sink hangs up in its answer",
    "writes fail",
    "gateway killed",
    "torrent of one node",
)


def plan(chance: random.Random) -> list[str]:
    """Every fault once in a while, in random order."""
    if not FULL:
        return list(SAMPLE)
    faults: list[str] = []
    named = [fault for fault in FAULTS if ONLY in fault]
    while len(faults) < RUNS:
        faults += chance.sample(named, len(named))
    return faults[:RUNS]


@pytest.mark.timeout(7200 if FULL else 120)
async def test_a_seeded_campaign_of_faults_loses_and_doubles_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    faults, took_s = plan(chance), defaultdict[str, list[float]](list)
    async with fault_rig(tmp_path, mount=FULL) as rig:
        await rig.settled()
        for fault in faults:
            await asyncio.sleep(chance.uniform(0, 0.5))
            await FAULTS[fault](rig, chance, WHOLE if FULL else SHORT)
            took_s[fault].append(await rig.settled())
        code = rig.stop_gateway()
        made, lost, doubled = rig.balance()
        aside, repeats, mounted = rig.put_aside(), rig.city.repeats, rig.may_mount
    with capsys.disabled():
        print(f"\n  {how_much(len(faults), RUNS)} faults, seed {SEED}: {made} readings made,", end=" ")
        print(f"lost {lost}, doubled {doubled}, put aside {aside}; {repeats} repeats recognised by their key")
        if FULL and not mounted:
            print(
                "  without the right to mount: full and read-only disks were played by a limit on file sizes"
            )
        for fault, times in sorted(took_s.items()):
            median_s = sorted(times)[len(times) // 2]
            print(f"  {fault:38} {len(times):4}: recovered in {median_s:.1f} s, at most {max(times):.1f} s")
    assert (lost, doubled, aside, code) == (0, 0, 0, 0)
    assert made > 5 * len(faults)
