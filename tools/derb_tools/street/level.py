"""Weeks of one container: filling, a heap, pings, faults; seen by one sensor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from derb_tools.street.container import CONTAINERS, PINGERS, Container, Pinger, fitted
from derb_tools.street.echoes import ACCEPTED, Clutter, fault_pings_us, pings_us
from derb_tools.street.edinburgh import curves, edinburgh_filling
from derb_tools.street.filling import DAY_S, HOUR_S, Filling, draw_filling
from derb_tools.street.level_scenarios import LEVEL_SCENARIOS, LevelStreet
from derb_tools.street.level_truth import LevelTruth, level_truth_lines
from derb_tools.street.streams import Streams
from derb_tools.street.surface import draw_heap, view
from derb_tools.street.trace import truth_path
from derb_tools.street.types import Floats, Ints, Range, drawn
from derb_tools.whole_file import whole_file

FAULT_S: Range = (4 * HOUR_S, 48 * HOUR_S)
LID_OPEN_S = 60.0
START_H = 6.0

__all__ = ["LEVEL_SCENARIOS", "LevelTrace", "level_trace", "write_level_trace"]


@dataclass(frozen=True)
class LevelTrace:
    """Readings of several pings each (-1 no echo start, -2 never ended), 1/100 C; and what was so."""

    scenario: str
    seed: int
    container: Container
    t_ms: Ints
    echo_us: Ints
    temp_c100: Ints
    truth: LevelTruth

    @property
    def empty_mm(self) -> int:
        """Distance from the sensor to the floor."""
        return self.container.empty_mm

    @property
    def full_mm(self) -> int:
        """Distance when full."""
        return self.container.full_mm


def level_trace(name: str | LevelStreet, seed: int, days: float = 30.0) -> LevelTrace:
    """One labelled recording. Raises KeyError for a scenario that does not exist."""
    street = LEVEL_SCENARIOS[name] if isinstance(name, str) else name
    streams = Streams(street.name, seed)
    rng = streams["site"]
    pinger = PINGERS[str(rng.choice(list(street.pingers)))]
    container = fitted(CONTAINERS[str(rng.choice(list(street.containers)))], pinger)
    span_s = days * DAY_S
    filling = _filling(street, streams["filling"], seed, span_s)
    t_s = np.arange(0.0, span_s, street.interval_s)
    t_s += np.clip(streams["times"].normal(0.0, 2.0, len(t_s)), 0.0, 10.0)
    return recorded(street, streams, seed, container, pinger, filling, np.round(t_s, 3))


def recorded(
    street: LevelStreet, streams: Streams, seed: int, container: Container, pinger: Pinger, filling: Filling,
    t_s: Floats,
) -> LevelTrace:  # fmt: skip
    """What a sensor reads of a filling at given times."""
    rng = streams["pings"]
    clutter = _clutter(streams["clutter"], street)
    air_c = _air_c(streams["weather"], street, t_s)
    fault = _faults(streams["faults"], street, filling, t_s)
    surface_mm, fill = _surfaces(streams["heap"], street, container, pinger, filling, t_s)
    readings = np.empty((len(t_s), street.pings), dtype=np.int64)
    for index, (surface, temp, what) in enumerate(zip(surface_mm, air_c, fault, strict=True)):
        if what:
            readings[index] = fault_pings_us(rng, what, surface, temp, clutter, pinger, street.pings)
        else:
            readings[index] = pings_us(rng, surface, temp, clutter, pinger, street.pings)
    read_c = air_c + rng.normal(0.0, 0.5) + 0.1 * rng.normal(size=len(t_s))
    truth = _truth(container, pinger, filling, t_s, surface_mm, fill, fault)
    return LevelTrace(
        street.name, seed, container, truth.t_ms, readings, np.rint(read_c * 100).astype(np.int64), truth
    )


def write_level_trace(trace: LevelTrace, path: Path) -> None:
    """The CSV that `derb replay level` reads, and before it the truth beside it; each is whole or not written. OSError."""
    about = f"scenario={trace.scenario} seed={trace.seed} container={trace.container.name}"
    with whole_file(path) as file, whole_file(truth_path(path)) as beside:
        file.writelines(level_trace_lines(trace))
        beside.writelines(level_truth_lines(trace.truth, about))


def level_trace_lines(trace: LevelTrace) -> Iterator[str]:
    """The lines of the CSV that `derb replay level` reads."""
    yield "t_ms,echo_us,temp_c100\n"
    rows = zip(trace.t_ms.tolist(), trace.echo_us.tolist(), trace.temp_c100.tolist(), strict=True)
    yield from (f"{t},{';'.join(map(str, pings))},{temp}\n" for t, pings, temp in rows)


def _filling(street: LevelStreet, rng: np.random.Generator, seed: int, span_s: float) -> Filling:
    if street.real_curves:
        return edinburgh_filling(rng, curves()[seed % len(curves())], span_s, START_H)
    return draw_filling(rng, span_s, START_H, street.partial_share, street.rate_per_day)


def _clutter(rng: np.random.Generator, street: LevelStreet) -> Clutter:
    return Clutter(
        wall=drawn(rng, street.wall),
        double=drawn(rng, street.double),
        timeout=drawn(rng, street.timeout),
        wall_mm=float(rng.uniform(150.0, 450.0)),
        facets_mm=drawn(rng, street.facets_mm),
        timeout_us=street.no_echo_us,
    )


def _air_c(rng: np.random.Generator, street: LevelStreet, t_s: Floats) -> Floats:
    """A day curve that is warmest at three, with weather of some days."""
    low, high = street.temp_c
    hour = START_H + t_s / HOUR_S
    knots = rng.uniform(-0.15, 0.0, int(t_s[-1] / DAY_S) + 3)
    weather = np.interp(t_s / DAY_S, np.arange(len(knots)), knots)
    share = 0.5 + 0.5 * np.cos((hour - 15.0) * np.pi / 12.0) + weather
    return low + (high - low) * np.clip(share, 0.0, 1.0)


def _faults(rng: np.random.Generator, street: LevelStreet, filling: Filling, t_s: Floats) -> list[str]:
    """The fault at each reading; a reading during a collection looks out of an open lid."""
    out = np.full(len(t_s), "", dtype=object)
    for name in street.faults:
        count = max(1, int(rng.poisson(street.faults_per_month * t_s[-1] / DAY_S / 30.0)))
        for begin in rng.uniform(0.05, 0.95, count) * t_s[-1]:
            first, last = np.searchsorted(t_s, [begin, begin + drawn(rng, FAULT_S)])
            out[first:last] = name
    for collection in filling.collections:
        first, last = np.searchsorted(t_s, [collection.t_s - LID_OPEN_S, collection.t_s])
        out[first:last] = "lid_open"
    return list(out)


def _surfaces(
    rng: np.random.Generator, street: LevelStreet, container: Container, pinger: Pinger, filling: Filling,
    t_s: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Nearest surface and mean fill at each reading; each emptying starts another heap."""
    seen = view(container, pinger)
    lump_scale = drawn(rng, street.lump_scale)
    heap, last = draw_heap(rng, lump_scale), None
    surface, fill = np.empty(len(t_s)), np.empty(len(t_s))
    for index, now in enumerate(t_s.tolist()):
        collection = filling.last_collection(now)
        if collection is not last:
            heap, last = draw_heap(rng, lump_scale), collection
        deposits = list(filling.deposits_between(-np.inf if last is None else last.t_s, now))
        fill[index] = filling.fill_at(now)
        surface[index] = seen.nearest_mm(seen.heights_mm(heap, fill[index], deposits))
    return surface, fill


def _truth(
    container: Container, pinger: Pinger, filling: Filling, t_s: Floats, surface_mm: Floats, fill: Floats,
    fault: Sequence[str],
) -> LevelTruth:  # fmt: skip
    collected, fell = np.full(len(t_s), "", dtype=object), np.zeros(len(t_s))
    for collection in filling.collections:
        index = int(np.searchsorted(t_s, collection.t_s))
        if collection.t_s > 0 and index < len(t_s):
            collected[index] = "partial" if collection.partial else "full"
            fell[index] += collection.fell
    near = surface_mm < max(pinger.blind_mm, container.full_mm)
    accepted = [_accepted(what, bool(close)) for what, close in zip(fault, near, strict=True)]
    return LevelTruth(
        t_ms=np.rint(t_s * 1000).astype(np.int64),
        surface_mm=surface_mm,
        fill_pct=fill,
        collected=collected,
        fell_pct=fell,
        fault=np.array(fault, dtype=object),
        accepted=np.array(accepted, dtype=object),
        empty_mm=container.empty_mm,
        full_mm=container.full_mm,
    )


def _accepted(fault: str, near: bool) -> str:
    """With the refuse at the sensor, a sensor may say so, fall silent or stutter."""
    right = ACCEPTED.get(fault, ("ok",))
    if near:
        right = tuple(dict.fromkeys((*right, "too_close", "no_echo", "unstable")))
    return "|".join(right)
