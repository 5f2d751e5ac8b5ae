"""Runs the benchmarks, `bench_*.py` beside this file, one after the other: each prints JSON lines to stdout.

    run.py [WORD]     only those whose name holds the word

A line is `{"bench": NAME, "figure": NAME, "value": NUMBER, "unit": UNIT, ...}`. Exits 1 when one of them
failed, printed nothing or printed something else, and 2 when there is none to run.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main(arguments: list[str]) -> int:
    word = arguments[0] if arguments else ""
    chosen = [
        script for script in sorted(FOLDER.glob("bench_*.py")) if word in script.stem.removeprefix("bench_")
    ]
    if not chosen:
        print(f"derb: there is no benchmark bench_*{word}*.py", file=sys.stderr)
        return 2
    failed = [script.stem for script in chosen if not run(script)]
    if failed:
        print(f"derb: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(script: Path) -> bool:
    """Run one benchmark, passing on what it prints as it comes; whether all of it was well."""
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    lines = 0
    good = True
    for line in process.stdout or []:
        print(line, end="", flush=True)
        lines += 1
        good = good and is_figure(line)
    return process.wait() == 0 and good and lines > 0


def is_figure(line: str) -> bool:
    """Whether the line is a figure: a finite number with its names and its unit."""
    try:
        said = json.loads(line)
        named = all(isinstance(said[key], str) for key in ("bench", "figure", "unit"))
        return named and type(said["value"]) in (int, float) and math.isfinite(said["value"])
    except (ValueError, TypeError, KeyError):
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
