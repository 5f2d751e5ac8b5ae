"""Strength of a node's last uplink as its receiver saw it."""

from collections.abc import Sequence

import numpy as np

from derb_tools.street.types import Floats, Ints, Range, drawn
from derb_tools.street.vehicles import Fleet
from derb_tools.street.visits import Visit

EMPTY_DBM: Range = (-88.0, -62.0)
UNDER_CAR_DB: Range = (10.0, 15.0)
UNDER_MOTORCYCLE_DB: Range = (1.0, 5.0)
BESIDE_DB: Range = (0.0, 2.5)
FADING_DB = 4.0
UPLINK_S = 60.0


def rssi_dbm(
    rng: np.random.Generator, t_s: Floats, fleet: Fleet, own: Sequence[Visit], beside: Sequence[Visit]
) -> Ints:
    """One uplink a minute, held between: loss under a vehicle, a little beside one, fading of 4 dB rms."""
    uplink_s = np.arange(-UPLINK_S * rng.random(), t_s[-1] + UPLINK_S, UPLINK_S)
    level = drawn(rng, EMPTY_DBM) + FADING_DB * rng.normal(size=len(uplink_s))
    for visit in own:
        weak = fleet.kind_name(visit.vehicle) == "motorcycle"
        loss = drawn(rng, UNDER_MOTORCYCLE_DB if weak else UNDER_CAR_DB)
        level -= loss * _standing(visit, uplink_s)
    for visit in beside:
        level -= drawn(rng, BESIDE_DB) * _standing(visit, uplink_s)
    held = np.searchsorted(uplink_s, t_s, side="right") - 1
    return np.rint(np.maximum(level, -120.0)).astype(np.int64)[np.maximum(held, 0)]


def _standing(visit: Visit, at_s: Floats) -> Floats:
    return ((at_s >= visit.stop_s) & (at_s < visit.leave_s)).astype(np.float64)
