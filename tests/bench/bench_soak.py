"""A gateway under load for as long as it takes, a seeded fault every so often: memory and files flat, nothing lost or doubled.

    make bench ONLY=soak SOAK_MINUTES=60 SOAK_RATE=1000     3 minutes at 200 frames a second unless told
    bench_soak.py FILE                                      the figures and the plot of the samples so far

SOAK_NODES (1,000), SOAK_SEED, SOAK_FAULT_S (60: seconds between faults, less a part by chance) and SOAK_FOLDER (build/soak, for
samples.jsonl, soak.svg and the gateway's log) may be set too. Run by itself, Ctrl-C or SIGTERM ends it early with its balance;
one that was killed leaves its samples.

In the first third the gateway is killed and its clock put wrong as well. From then on one process lives to the end, so that
what grows is seen. `recovery_max`: from a fault's end until readings come in as before and each sink is 2 s behind at most.
"""

import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from soak_rig import SoakRig, soak_rig
from soak_samples import Samples, figures, figures_now, read, sample
from street import tell

from tests.e2e.city import City
from tests.e2e.faults import SHORT, broker_killed, clock_steps_years, gateway_killed, mood, writes_fail

MINUTES = float(os.environ.get("SOAK_MINUTES", "3"))
RATE = float(os.environ.get("SOAK_RATE", "200"))
NODES = int(os.environ.get("SOAK_NODES", "1000"))
SEED = int(os.environ.get("SOAK_SEED", "20261128"))
FAULT_S = float(os.environ.get("SOAK_FAULT_S", "60"))
FOLDER = Path(os.environ.get("SOAK_FOLDER", Path(__file__).parents[2] / "build" / "soak"))
SAMPLE_S = 2.0
LOOK_S = 0.5
RECOVERY_S = 300.0
AWAY_S = (8.0, 15.0)
SLOW_DRIP_S = 0.02  # a byte of the answer: a second for all of it

SoakFault = Callable[[SoakRig, random.Random], Awaitable[None]]


async def sink_slow(rig: SoakRig, chance: random.Random) -> None:
    rig.upstream.drip_s = SLOW_DRIP_S
    try:
        await asyncio.sleep(chance.uniform(*AWAY_S))
    finally:
        rig.upstream.drip_s = 0.0


async def told_to_reload(rig: SoakRig, _: random.Random) -> None:
    assert rig.process is not None
    rig.process.send_signal(signal.SIGHUP)


def of_any_size(fault: Callable[..., Awaitable[None]]) -> SoakFault:
    return lambda rig, chance: fault(rig, chance, SHORT)


LIVED_THROUGH: dict[str, SoakFault] = {
    "broker killed": of_any_size(broker_killed),
    "sink dead": of_any_size(mood(City.dead, AWAY_S)),
    "sink slow": sink_slow,
    "sink never answers": of_any_size(mood(City.mute, AWAY_S)),
    "sink takes a half": of_any_size(mood(City.half, AWAY_S)),
    "writes fail": of_any_size(writes_fail),
    "reload": told_to_reload,
}
DIED_OF: dict[str, SoakFault] = {
    "gateway killed": of_any_size(gateway_killed),
    "clock steps years": of_any_size(clock_steps_years),
}


async def recovered(rig: SoakRig, within_s: float) -> bool:
    """Wait until readings come in as before, and no sink is more than 2 s behind; whether they did."""
    before, until = -1, asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < until:
        now = await asyncio.to_thread(figures_now, rig)
        stored = now.counters.get("readings_stored", 0) if now else -1
        comes_in = before >= 0 and stored - before >= 0.8 * RATE * LOOK_S
        if now and comes_in and all(sink.behind <= 2 * RATE for sink in now.sinks.values()):
            return True
        before = stored
        await asyncio.sleep(LOOK_S)
    return False


async def faults(rig: SoakRig, samples: Samples, enough: asyncio.Event) -> None:
    """One after another until it is enough, each got over; all of those there are before any comes again."""
    chance, waiting = random.Random(SEED), list[str]()
    while not await within(enough.wait(), FAULT_S * chance.uniform(0.5, 1.0)):
        early = samples.now_s() < MINUTES * 60 / 3
        there = {**LIVED_THROUGH, **(DIED_OF if early else {})}
        waiting = [name for name in waiting if name in there] or chance.sample(list(there), len(there))
        name = waiting.pop()
        print(f"{samples.now_s():6.0f} s: {name}", file=sys.stderr)
        samples.note("fault", fault=name)
        await there[name](rig, chance)
        ended_s = samples.now_s()
        if await recovered(rig, RECOVERY_S):
            samples.note("recovered", fault=name, took_s=round(samples.now_s() - ended_s, 1))


async def within(what: Awaitable[object], seconds: float) -> bool:
    """Whether it came about in time."""
    try:
        await asyncio.wait_for(what, seconds)
    except TimeoutError:
        return False
    return True


async def sampling(rig: SoakRig, samples: Samples) -> None:
    """Note how the gateway is until cancelled; SystemExit if the fleet has ended by itself."""
    while True:
        samples.note("sample", **await asyncio.to_thread(sample, rig))
        if rig.fleet_failed():
            sys.exit(f"the fleet has ended: {(rig.folder / 'fleet.log').read_text()}")
        await asyncio.sleep(SAMPLE_S)


async def soak(folder: Path, samples: Samples) -> None:
    """Run it, and note what it comes to at the sinks."""
    enough = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, enough.set)
    async with soak_rig(folder, NODES) as rig:
        await rig.hears()
        rig.start_fleet(RATE)
        looking = asyncio.create_task(sampling(rig, samples))
        harming = asyncio.create_task(faults(rig, samples, enough))
        await within(enough.wait(), MINUTES * 60)
        enough.set()
        await harming
        report = await asyncio.to_thread(rig.end_fleet)
        await all_forwarded(rig)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        code = await asyncio.to_thread(rig.stop_gateway)
        samples.note("end", **balance(rig, report), gateway_exit=code)


async def all_forwarded(rig: SoakRig) -> None:
    until = asyncio.get_running_loop().time() + RECOVERY_S
    while asyncio.get_running_loop().time() < until:
        now = await asyncio.to_thread(figures_now, rig)
        if now and not any(sink.behind for sink in now.sinks.values()):
            return
        await asyncio.sleep(LOOK_S)


def balance(rig: SoakRig, report: dict[str, float]) -> dict[str, float]:
    """What the fleet made, and what each sink has of it."""
    made, files = int(report.get("sent", 0)), rig.files()
    return {
        "made": made,
        "without_receipt": int(report.get("lost", made)),
        "lost_city": made - rig.tally.different(),
        "repeats_city_recognised": rig.tally.again,
        "lost_files": made - files.different(),
        "doubled_files": files.again,
    }


def show(lines: list[dict[str, object]]) -> bool:
    """Print the figures, draw the plot; whether nothing was lost or doubled and all faults were got over."""
    found = figures(lines)
    tell("soak", found, rate=RATE, nodes=NODES, seed=SEED)
    lasted = found["lasted"][0]
    from soak_plot import plot  # its package comes with `make bench` only

    plot(
        lines,
        f"{lasted:.0f} minutes at {RATE:.0f} frames/s of {NODES} nodes, seed {SEED}",
        FOLDER / "soak.svg",
    )
    zeros = ("without_receipt", "lost_city", "lost_files", "doubled_files", "gateway_exit")
    return (
        all(found.get(name, (1, ""))[0] == 0 for name in zeros)
        and found["faults"] == found["faults_recovered"]
    )


def main(words: list[str]) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    if words:
        show(read(Path(words[0])))
        return 0
    samples = Samples(FOLDER / "samples.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(soak(Path(folder), samples))
        finally:
            shutil.copy(Path(folder) / "gateway.log", FOLDER)
    return 0 if show(read(samples.path)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
