"""A small busy street to show: bays that turn over in minutes, containers that fill as one watches."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from derb_tools.street.container import CONTAINERS, PINGERS, fitted
from derb_tools.street.edinburgh import curves, edinburgh_filling
from derb_tools.street.electric import Metro
from derb_tools.street.filling import HOUR_S
from derb_tools.street.level import recorded
from derb_tools.street.level_scenarios import LevelStreet
from derb_tools.street.level_truth import write_level_truth
from derb_tools.street.parking import DAY_S, parking_trace
from derb_tools.street.recordings import write_echo, write_mag
from derb_tools.street.scenario import PARALLEL, PERPENDICULAR, Street
from derb_tools.street.schedule import Habit
from derb_tools.street.streams import Streams
from derb_tools.street.trace import write_truth
from derb_tools.street.traffic import Lane

BAYS = 6
METRO_BAY = 5
"""The bay with the real disturbance of a metro over it."""
ECHO_PERIOD_MS = 30_000
SPEED = 60.0
"""How much faster than in Edinburgh the containers fill: a day in 24 minutes."""
FIRST_COLLECTION_S = (480.0, 1500.0)
CONTAINER_NAMES = (
    "litter_120l",
    "wheeled_240l",
    "four_wheels_1100l",
    "litter_120l",
    "wheeled_240l",
    "bell_3m3",
)

BUSY = Habit(
    dwell=((1.0, 540.0),),
    dwell_s=(240.0, 1200.0),
    first_gap_s=(60.0, 300.0),
    gap_s=(60.0, 360.0),
    swap_chance=0.05,
)
BAY = Street(
    "demo_bay",
    "a busy street of short stays",
    chips=("LIS3MDL",),
    habit=BUSY,
    neighbour_habit=BUSY,
    lane=Lane(peak_per_h=(100.0, 300.0)),
    drift_ut_per_k=(0.3, 0.8),
)
CONTAINER = LevelStreet("demo_container", "real fill curves, fast", real_curves=True)


@dataclass(frozen=True)
class StreetObject:
    """A bay or a container: its recording for a board's sensor and its truth."""

    name: str
    kind: str
    recording: Path
    truth: Path
    empty_mm: int = 0
    full_mm: int = 0


def demo_street(folder: Path, seed: int = 1, hours: float = 6.0) -> list[StreetObject]:
    """Write the recordings of six bays (`*.mag`, 1 Hz) and six containers (`*.echo`) with their truths."""
    folder.mkdir(parents=True, exist_ok=True)
    bays = [_bay(folder, number, seed, hours) for number in range(1, BAYS + 1)]
    return bays + [
        _container(folder, number, name, seed, hours) for number, name in enumerate(CONTAINER_NAMES, start=1)
    ]


def _bay(folder: Path, number: int, seed: int, hours: float) -> StreetObject:
    street = replace(
        BAY,
        name=f"demo_bay_{number}",
        layout=PARALLEL if number <= BAYS // 2 else PERPENDICULAR,
        metro=Metro(1.0) if number == METRO_BAY else None,
    )
    trace = parking_trace(street, seed, hours * HOUR_S / DAY_S)
    place = StreetObject(
        f"bay-{number}", "bay", folder / f"bay-{number}.mag", folder / f"bay-{number}.truth.csv"
    )
    write_mag(trace, place.recording)
    write_truth(trace.truth, place.truth, f"parking scenario={street.name} seed={seed}")
    return place


def _container(folder: Path, number: int, container_name: str, seed: int, hours: float) -> StreetObject:
    streams = Streams(f"demo_container_{number}", seed)
    pinger = PINGERS["HC-SR04"]
    container = fitted(CONTAINERS[container_name], pinger)
    rng = streams["filling"]
    curve = curves()[(number - 1 + seed) % len(curves())]
    first_s = float(rng.uniform(*FIRST_COLLECTION_S))
    filling = edinburgh_filling(rng, curve, hours * HOUR_S, 6.0, speed=SPEED, first_collection_s=first_s)
    t_s = np.arange(0.0, hours * HOUR_S, ECHO_PERIOD_MS / 1000.0)
    trace = recorded(CONTAINER, streams, seed, container, pinger, filling, t_s)
    name = f"container-{number}"
    place = StreetObject(
        name, "container", folder / f"{name}.echo", folder / f"{name}.truth.csv",
        container.empty_mm, container.full_mm,
    )  # fmt: skip
    write_echo(trace, place.recording, ECHO_PERIOD_MS)
    write_level_truth(trace.truth, place.truth, f"scenario=demo_container seed={seed} site={curve.site}")
    return place
