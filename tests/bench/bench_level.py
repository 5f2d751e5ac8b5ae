"""Level sensing on simulated containers, and what a reading costs.

The firmware runs in MicroPython over every level scenario, medians over seeds that were not used for tuning.
Fulls and collections are few in a recording, so those are reckoned over all recordings together, and once more where
readings come every 15 minutes or every 4 hours. The cost is of one reading of 15 pings and of `FillEvents.step`;
bytes are allocations, freed at the next collection of garbage.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from derb_tools.replay import replay_level
from derb_tools.street import LEVEL_SCENARIOS, level_trace
from derb_tools.street.level_scenarios import FAULT_NAMES, LevelStreet
from derb_tools.street.level_score import YEAR_MS, LevelFigures, score_level
from derb_tools.trace_samples import LevelSample

sys.path.insert(0, str(Path(__file__).parent.parent / "firmware"))
from runner.interpreters import COMMAND_OF_INTERPRETER

SEEDS = (301, 302, 303, 304, 305)
DAYS = 12.0
LEAST_DAYS = {"slow_filling": 30.0}
MOST_DAYS = {"every_5_min": 6.0}
OTHER_INTERVALS = {"every_15_min": (900.0, 12.0), "every_4_h": (14400.0, 40.0)}
"""Seconds, and days of a recording."""
INTERVALS_ON = (
    "nominal",
    "lumpy",
    "hard_walls",
    "partial_collections",
    "fast_filling",
    "wall_echo",
    "level_hell",
)
COST = """
import gc, time
from derb.fill_events import FillEvents
from derb.level import Level
level, events = Level(1500, 250), FillEvents()
pings = [[5200 + i * 13 % 90 - r for i in range(12)] + [2400, -2, 10500] for r in range(64)]
gc.collect(); gc.disable()
began, used = time.ticks_us(), gc.mem_alloc()
for burst in pings:
    status, mm, level_x10 = level.measure(burst, 2000)
    events.step(status, level_x10)
print(time.ticks_diff(time.ticks_us(), began) // 64, (gc.mem_alloc() - used) // 64, len(level.dumps() + events.dumps()))
"""


def recorded(street: LevelStreet, seed: int, days: float) -> LevelFigures:
    """Figures of the firmware on one recording."""
    trace = level_trace(street, seed, days=days)
    rows = zip(trace.t_ms.tolist(), trace.echo_us.tolist(), trace.temp_c100.tolist(), strict=True)
    samples = [LevelSample(t_ms, tuple(pings), temp) for t_ms, pings, temp in rows]
    return score_level(trace.truth, list(replay_level(samples, trace.empty_mm, trace.full_mm)))


def median(values: Iterator[float | None]) -> float | None:
    """None where no recording has the figure."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def say(figure: str, value: float | None, unit: str) -> None:
    """One line a figure; none for what is not there."""
    if value is not None:
        line = {"bench": "level", "figure": figure, "value": round(value, 3), "unit": unit}
        print(json.dumps(line), flush=True)


def scenario(name: str) -> list[LevelFigures]:
    """Print a scenario's figures."""
    days = min(max(DAYS, LEAST_DAYS.get(name, 0.0)), MOST_DAYS.get(name, 1e9))
    runs = [recorded(LEVEL_SCENARIOS[name], seed, days) for seed in SEEDS]
    say(f"{name}_mae", median(run.mae_pct_of_depth for run in runs), "% of depth")
    say(f"{name}_p95", median(run.p95_pct_of_depth for run in runs), "% of depth")
    say(f"{name}_fill_rms_with_table", median(run.fill_rms_with_table_pct for run in runs), "points")
    say(f"{name}_collection_f1", median(run.collection_f1 for run in runs), "1")
    say(f"{name}_normal_status", median(run.normal_status_pct for run in runs), "%")
    for fault in FAULT_NAMES:
        say(f"{name}_{fault}_status", median(run.fault_status_pct.get(fault) for run in runs), "%")
    return runs


def together(name: str, runs: Sequence[LevelFigures]) -> None:
    """Print what is rare, over many recordings."""
    hits = sum(run.collections_found for run in runs)
    wrong = sum(run.collections_missed + run.collections_wrong for run in runs)
    say(f"{name}_collections", hits + sum(run.collections_missed for run in runs), "emptyings")
    say(f"{name}_collection_f1", 2 * hits / (2 * hits + wrong), "1")
    say(f"{name}_bad_levels_in_faults", sum(run.bad_levels_in_faults for run in runs), "readings")


def cost(interpreter: str) -> None:
    """Print what a reading costs in one MicroPython."""
    command = COMMAND_OF_INTERPRETER[interpreter](COST, 1024)
    took_us, heap, state = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout.split()
    say(f"reading_{interpreter}", float(took_us), "us")
    say(f"reading_heap_{interpreter}", float(heap), "bytes")
    say(f"state_{interpreter}", float(state), "bytes")


def main() -> None:
    """Print every figure; of a container-year and the bad levels over all of them at the end."""
    runs: list[LevelFigures] = []
    years = 0.0
    for name, street in LEVEL_SCENARIOS.items():
        here = scenario(name)
        runs += here
        years += sum(run.readings for run in here) * street.interval_s * 1000.0 / YEAR_MS
    together("all", runs)
    say("container_years", years, "years")
    say("false_fulls", sum(run.false_fulls for run in runs) / years, "a container-year")
    for name, (interval_s, days) in OTHER_INTERVALS.items():
        streets = [replace(LEVEL_SCENARIOS[street], interval_s=interval_s) for street in INTERVALS_ON]
        together(name, [recorded(street, seed, days) for street in streets for seed in SEEDS])
    for interpreter in ("unix64", "wasm32"):
        cost(interpreter)


if __name__ == "__main__":
    main()
