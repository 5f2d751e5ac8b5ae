"""Parking detection on streets far simpler than the simulator's, which its constants were never fitted to.

    bench_plain_streets.py [--seeds 1,2] [--hours 12]

Cars change the field in one step, on a straight ramp, on a ramp with a bulge, or as one dipole that rolls in; all alike or each
different; of about 25, 12 or 5 uT. Neighbours add less than 1.5 uT, traffic passes, the field drifts by up to 9 uT.

Balanced accuracy in percent, `unknown` counted as wrong, 15 s about each change left out; beside it the same of two references
on the same streets.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from bench_streets import samples_of
from derb_tools.replay import replay_parking
from derb_tools.street.parking_score import score_parking
from derb_tools.street.references import REFERENCES
from derb_tools.street.trace import FREE, OCCUPIED, Trace, Truth
from derb_tools.street.types import Floats

Way = Callable[[Floats], Floats]  # shares of a manoeuvre, 0 to 1 -> field, nT (n, 3)

MANNERS = ("step", "ramp", "bulge", "dipole")
SIZES_NT = {"25 uT": 25000.0, "12 uT": 12000.0, "5 uT": 5000.0}
EARTH_NT = 44000.0
LEFT_OUT_S = 15


def direction(rng: np.random.Generator, length_nt: float) -> Floats:
    vector = rng.normal(size=3)
    return vector / np.linalg.norm(vector) * length_nt


def dipole_nt(moment: Floats, away_m: Floats) -> Floats:
    """A dipole's field but for its unit, at places (n, 3)."""
    r = np.linalg.norm(away_m, axis=1, keepdims=True)
    return (3 * away_m * (away_m @ moment)[:, None] / r**2 - moment) / r**3


def way_in(rng: np.random.Generator, manner: str, size_nt: float) -> tuple[int, Way]:
    """Seconds of the manoeuvre, and the field on the way from outside to the place."""
    stands_nt = float(np.clip(rng.lognormal(np.log(size_nt), 0.5), 3000, 90000))
    stands = direction(rng, stands_nt)
    if manner == "step":
        return 1, lambda share: share[:, None] * stands
    if manner == "ramp":
        return int(rng.integers(3, 13)), lambda share: share[:, None] * stands
    if manner == "bulge":
        bulge = direction(rng, stands_nt * rng.uniform(0.3, 1.2))
        return (
            int(rng.integers(4, 15)),
            lambda share: (
                (share**2 * (3 - 2 * share))[:, None] * stands + np.sin(np.pi * share)[:, None] * bulge
            ),
        )
    at = np.array([rng.uniform(-0.6, 0.6), rng.uniform(-0.4, 0.4), rng.uniform(0.35, 0.6)])
    moment = direction(rng, 1.0)
    moment *= stands_nt / np.linalg.norm(dipole_nt(moment, at[None, :]))
    aside = np.array([7.0, 0.3, 0.0])
    return int(rng.integers(6, 15)), lambda share: dipole_nt(
        moment, at + aside * np.column_stack([(1 - share) ** 2, 1 - share, 0 * share])
    )


def add(field: Floats, begin: int, values: Floats) -> None:
    """Add what fits before the end."""
    room = max(0, len(field) - begin)
    field[begin : begin + len(values)] += values[:room]


def park(rng: np.random.Generator, field: Floats, manner: str, size_nt: float, alike: bool) -> list[int]:
    """Add visits; return the seconds of the changes, by turns in and out."""
    changes: list[int] = []
    car = way_in(rng, manner, size_nt)
    at = int(rng.integers(300, 2400))
    while at < len(field) - 900:
        seconds, way = car if alike else way_in(rng, manner, size_nt)
        stays = int(np.clip(rng.lognormal(np.log(2400), 0.9), 120, 14400))
        comes = way(np.linspace(0, 1, seconds + 1))
        visit = np.concatenate([comes, np.repeat(comes[-1:], stays, axis=0), comes[::-1]])
        add(field, at, visit)
        changes += [at + seconds // 2, at + len(comes) + stays + seconds // 2]
        at += len(visit) + max(60, int(rng.lognormal(np.log(1200), 0.9)))
    return changes


def surroundings(rng: np.random.Generator, field: Floats, busy: bool) -> None:
    """Neighbours that come and go, and traffic that passes."""
    seconds = len(field)
    for _ in range(2):
        at = int(rng.integers(60, 1500))
        while at < seconds:
            rises = int(rng.integers(3, 11))
            share = np.minimum(1.0, np.arange(int(rng.integers(600, 5400))) / rises)
            add(field, at, share[:, None] * direction(rng, rng.uniform(300, 1500 if busy else 900)))
            at += len(share) + int(rng.integers(600, 5400))
    for at in np.flatnonzero(rng.random(seconds) < (60 if busy else 8) / 3600):
        passing = np.exp(-((np.arange(-8, 9) / rng.uniform(0.6, 2.0)) ** 2))
        add(field, int(at), passing[:, None] * direction(rng, rng.lognormal(np.log(1200), 0.6)))


def truth_of(changes: list[int], seconds: int) -> Truth:
    cuts = [0, *(edge for at in changes for edge in (at - LEFT_OUT_S, at, at + LEFT_OUT_S))]
    cuts = [min(max(cut, 0), seconds) for cut in cuts]
    state = [FREE]
    excluded = [False]
    for after in itertools.islice(itertools.cycle((OCCUPIED, FREE)), len(changes)):
        state += [1 - after, after, after]
        excluded += [True, True, False]
    none = np.full(len(cuts), "", dtype=object)
    return Truth(
        np.maximum.accumulate(np.array(cuts)) * 1000, np.array(state), np.array(excluded), none, none, seconds * 1000
    )  # fmt: skip


def street(manner: str, alike: bool, size: str, busy: bool, seed: int, hours: int) -> Trace:
    rng = np.random.default_rng([seed, MANNERS.index(manner), alike, list(SIZES_NT).index(size), busy])
    seconds = hours * 3600
    t_s = np.arange(seconds)
    drift = np.sin(2 * np.pi * (t_s / 86400 + rng.random()))[:, None] * direction(
        rng, rng.uniform(2000, 9000)
    )
    field = direction(rng, EARTH_NT) + drift
    changes = park(rng, field, manner, SIZES_NT[size], alike)
    surroundings(rng, field, busy)
    field += rng.normal(scale=rng.choice([60, 150, 300]), size=field.shape)
    readings_nt = np.rint(field).astype(np.int64)
    truth = truth_of(changes, seconds)
    return Trace(manner, seed, t_s * 1000, readings_nt, np.full(seconds, 2000), None, None, truth)


def scores(*which: object) -> dict[str, float]:
    """Balanced accuracy of the firmware's own detection and of the references on one street."""
    trace = street(*which)
    told = {name: detect(trace) for name, detect in REFERENCES.items()}
    told["value"] = [
        (int(change["t_ms"]), str(change["state"])) for change in replay_parking(samples_of(trace))
    ]
    return {
        name: score_parking(trace.truth, changes).balanced_accuracy_strict_pct or 0.0
        for name, changes in told.items()
    }


def line(name: str, runs: list[dict[str, float]]) -> str:
    means = {key: round(statistics.fmean(run[key] for run in runs), 2) for key in ("value", *REFERENCES)}
    worst = round(min(run["value"] for run in runs), 2)
    return json.dumps(
        {"bench": "plain_streets", "figure": name, "unit": "% balanced accuracy", "worst": worst} | means
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--hours", type=int, default=12)
    wanted = parser.parse_args()
    seeds = [int(seed) for seed in wanted.seeds.split(",")]
    everything: list[dict[str, float]] = []
    with ProcessPoolExecutor(2) as pool:
        for manner, alike, size in itertools.product(MANNERS, (False, True), SIZES_NT):
            streets = itertools.product((False, True), seeds)
            waiting = [
                pool.submit(scores, manner, alike, size, busy, seed, wanted.hours) for busy, seed in streets
            ]
            runs = [each.result() for each in waiting]
            everything += runs
            print(line(f"{manner}, {size}, {'alike' if alike else 'each different'}", runs), flush=True)
    print(line("all", everything), flush=True)


if __name__ == "__main__":
    main()
