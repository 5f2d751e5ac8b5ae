"""Parking detection on every street of the simulator, beside two references on the same recordings, worst street first.

    bench_streets.py [--seeds 401,402,403] [--days 0.5] [--rssi] [--period SECONDS] [STREET ...]

The firmware's own detection runs in MicroPython. The references are the fixed threshold of a commercial sensor and the
adaptive baseline of the literature (derb_tools.street.references says which). Seeds from 401 on were never used for
tuning. The line `all` has the means over streets.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from derb_tools.replay import replay_parking
from derb_tools.street import SCENARIOS, parking_trace
from derb_tools.street.parking_score import ParkingFigures, score_parking
from derb_tools.street.references import REFERENCES
from derb_tools.street.trace import Trace
from derb_tools.trace_samples import ParkingSample

SEEDS = (401, 402, 403)
NOTES = 28  # the first so many streets are those of the field notes
FAST = {"fast_10hz": 0.25, "fast_4hz": 0.25}  # these have many samples a day


def samples_of(trace: Trace) -> Iterator[ParkingSample]:
    """The recording as `derb replay` reads it."""
    count = len(trace.t_ms)
    signals = trace.rssi_dbm.tolist() if trace.rssi_dbm is not None else [None] * count
    restarts = trace.restart.tolist() if trace.restart is not None else [""] * count
    before_ms = int(trace.t_ms[0])
    rows = zip(
        trace.t_ms.tolist(), restarts, trace.field_nt.tolist(), trace.temp_c100.tolist(), signals, strict=True
    )
    for t_ms, restart, field_nt, temp_c100, rssi_dbm in rows:
        if restart == "cold":
            before_ms = t_ms
        yield ParkingSample(t_ms, t_ms - before_ms, restart, tuple(field_nt), temp_c100, rssi_dbm)
        before_ms = t_ms


def figures(
    name: str, seed: int, days: float, rssi: bool, period_s: float | None
) -> dict[str, ParkingFigures]:
    """Figures of the firmware and of the references on one recording."""
    part = FAST.get(name, 1.0) if period_s is None else 1.0
    trace = parking_trace(name, seed, days * part, rssi=rssi, period_s=period_s)
    ours = [(int(change["t_ms"]), str(change["state"])) for change in replay_parking(samples_of(trace))]
    found = {"derb": score_parking(trace.truth, ours)}
    for reference, detect in REFERENCES.items():
        found[reference] = score_parking(trace.truth, detect(trace))
    return found


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.fmean(known), 2) if known else None


def row(name: str, runs: list[dict[str, ParkingFigures]]) -> dict[str, object]:
    """One street: balanced accuracy in percent with `unknown` counted as wrong, and how it fails."""
    ours = [run["derb"] for run in runs]
    scores = [each.balanced_accuracy_strict_pct or 0.0 for each in ours]
    line: dict[str, object] = {
        "bench": "streets",
        "figure": name,
        "value": round(statistics.fmean(scores), 2),
        "unit": "% balanced accuracy",
        "median": round(statistics.median(scores), 2),
        "worst": round(min(scores), 2),
        "unknown_pct": mean(each.unknown_pct for each in ours),
        "strong_longest_wrong_min": round(max(each.strong_longest_wrong_s for each in ours) / 60, 1),
        "transitions_ratio": mean(each.transitions_ratio for each in ours),
        "ghosts_per_1000": mean(each.ghosts_per_1000 for each in ours),
        "strong_missed_per_1000": mean(each.strong_missed_per_1000 for each in ours),
        "latency_median_s": mean(each.latency_median_s for each in ours),
        "latency_p95_s": mean(each.latency_p95_s for each in ours),
    }
    for reference in REFERENCES:
        line[reference] = mean(run[reference].balanced_accuracy_strict_pct for run in runs)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("streets", nargs="*", default=list(SCENARIOS))
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--days", type=float, default=0.5)
    parser.add_argument("--rssi", action="store_true")
    parser.add_argument("--period", type=float, help="seconds between samples, instead of each street's own")
    wanted = parser.parse_args()
    seeds = [int(seed) for seed in wanted.seeds.split(",")]
    with ProcessPoolExecutor(2) as pool:
        futures = {
            name: [
                pool.submit(figures, name, seed, wanted.days, wanted.rssi, wanted.period) for seed in seeds
            ]
            for name in wanted.streets
        }
        rows = [row(name, [future.result() for future in waiting]) for name, waiting in futures.items()]
    for line in sorted(rows, key=lambda line: float(str(line["value"]))):
        print(json.dumps(line), flush=True)
    notes = [line for line in rows if line["figure"] in list(SCENARIOS)[:NOTES]]
    for label, chosen in (("all", rows), ("the notes' streets", notes)):
        if chosen:
            summary = {
                "bench": "streets",
                "figure": label,
                "value": mean(float(str(each["value"])) for each in chosen),
            }
            summary["unit"] = "% balanced accuracy"
            summary.update({name: mean(float(str(each[name])) for each in chosen) for name in REFERENCES})
            print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
