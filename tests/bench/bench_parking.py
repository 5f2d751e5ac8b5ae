"""What a sample of the magnetometer costs in the firmware's detection, in each MicroPython.

Microseconds are this machine's, of the interpreter alone: compare them with each other, and with `loop`, a bare loop that only
adds three numbers a sample in the same run. `quiet`: nothing moves. `moving`: an episode is under way. `episode`: one is weighed.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "firmware"))

from runner.interpreters import COMMAND_OF_INTERPRETER

RUNS = 3
COST = """
import gc, time
from derb.parking import Parking
def cost(parking, fields):
    gc.collect(); gc.disable()
    began, used = time.ticks_us(), gc.mem_alloc()
    for x, y, z in fields:
        parking.step(1000, x, y, z, 2000)
    took, heap = time.ticks_diff(time.ticks_us(), began), gc.mem_alloc() - used
    gc.enable()
    return took, heap
def loop(fields):
    began, total = time.ticks_us(), 0
    for _ in range(64):
        for x, y, z in fields:
            total += x + y + z
    return time.ticks_diff(time.ticks_us(), began) / 64
quiet = [(29000 + i * 7919 % 301, -300 + i * 104729 % 301, 30000 + i * 1299709 % 301) for i in range(512)]
moving = [(29000 + i * 7919 % 60001, -300 + i * 104729 % 60001, 30000 + i * 1299709 % 60001) for i in range(512)]
parking = Parking()
cost(parking, quiet)
print("loop", max(1, int(loop(quiet) * 1000 / 512)), 0)
took, heap = cost(parking, quiet)
print("quiet", took * 1000 // 512, heap * 1000 // 512)
took, heap = cost(parking, moving)
print("moving", took * 1000 // 512, heap * 1000 // 512)
still = spent = 0
for k in range(12):
    cost(parking, quiet[:60])
    jump = [(x + 9000 * (k % 2 * 2 - 1), y, z) for x, y, z in quiet[:8]]
    took, heap = cost(parking, jump)
    still += took
    spent += heap
print("episode_of_8_samples", still * 1000 // 12, spent * 1000 // 12)
print("state", len(parking.dumps()) * 1000, 0)
"""


def say(figure: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(json.dumps({"bench": "parking", "figure": figure, "value": value, "unit": unit}), flush=True)


def measure(interpreter: str) -> dict[str, tuple[float, float]]:
    """One run: {figure: (microseconds, bytes)}."""
    command = COMMAND_OF_INTERPRETER[interpreter](COST, 4096)
    out = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout
    rows = [line.split() for line in out.splitlines()]
    return {name: (int(took) / 1000, int(heap) / 1000) for name, took, heap in rows}


def main() -> None:
    """Print the medians of a few runs."""
    for interpreter in ("unix64", "wasm32"):
        runs = [measure(interpreter) for _ in range(RUNS)]
        for name in runs[0]:
            took = statistics.median(run[name][0] for run in runs)
            say(f"{name}_{interpreter}", round(took, 2), "bytes" if name == "state" else "us")
            if name in ("quiet", "moving", "episode_of_8_samples"):
                say(f"{name}_heap_{interpreter}", runs[0][name][1], "bytes")
                times = statistics.median(run[name][0] / run["loop"][0] for run in runs)
                say(f"{name}_times_loop_{interpreter}", round(times, 1), "1")


if __name__ == "__main__":
    main()
