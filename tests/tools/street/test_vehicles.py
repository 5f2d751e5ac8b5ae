"""Standing and lateral fields by class, against the percentiles of the field notes (section D)."""

import numpy as np
import pytest
from derb_tools.street.field import earth_field_ut
from derb_tools.street.types import Floats
from derb_tools.street.vehicles import CLASSES, KINDS, draw_fleet, draw_kinds, fleet_field_ut

COUNT = 3000
# Class: 5, 50 and 95 % of the standing field, uT.
STANDING_UT = {
    "sedan": (4.0, 15.0, 54.0),
    "suv": (2.8, 9.5, 37.0),
    "van": (4.5, 15.0, 48.0),
    "ev": (1.8, 7.0, 37.0),
    "high_clearance": (0.8, 2.4, 7.5),
    "motorcycle": (0.3, 1.2, 7.0),
}
# Class: distance beside the sensor, then 50 and 95 %, uT.
LATERAL_UT = {
    "sedan": (2.4, 0.6, 1.4),
    "van": (2.4, 1.2, 2.7),
    "light_truck": (2.4, 2.1, 4.5),
    "bus": (2.7, 2.4, 5.2),
}
TOTAL_AM2 = {"sedan": 150.0, "suv": 200.0, "van": 320.0, "light_truck": 800.0}


def fields_ut(kind: str, beside_m: float = 0.0) -> Floats:
    rng = np.random.default_rng(7)
    fleet = draw_fleet(rng, np.full(COUNT, KINDS.index(kind)))
    along, across = CLASSES[kind].scatter_m
    x, y = along * rng.normal(size=COUNT), beside_m + across * rng.normal(size=COUNT)
    yaw = rng.choice([0.0, np.pi], COUNT)
    return np.linalg.norm(fleet_field_ut(fleet, np.arange(COUNT), x, y, yaw, earth_field_ut(0.7)), axis=1)


@pytest.mark.parametrize("kind", STANDING_UT)
def test_standing_fields_have_the_spread_of_real_ones(kind: str) -> None:
    low, median, high = np.percentile(fields_ut(kind), [5, 50, 95])
    assert median == pytest.approx(STANDING_UT[kind][1], rel=0.4)
    assert low == pytest.approx(STANDING_UT[kind][0], rel=0.5)
    assert high == pytest.approx(STANDING_UT[kind][2], rel=0.35)


@pytest.mark.parametrize("kind", LATERAL_UT)
def test_a_vehicle_beside_the_sensor_is_as_weak_as_it_is_in_the_street(kind: str) -> None:
    beside_m, median_ut, high_ut = LATERAL_UT[kind]
    median, high = np.percentile(fields_ut(kind, beside_m), [50, 95])
    assert median == pytest.approx(median_ut, rel=0.2)
    assert high == pytest.approx(high_ut, rel=0.2)


@pytest.mark.parametrize("kind", TOTAL_AM2)
def test_total_moments_are_those_fitted(kind: str) -> None:
    fleet = draw_fleet(np.random.default_rng(3), np.full(COUNT, KINDS.index(kind)))
    total = np.linalg.norm(fleet.permanent_am2, axis=-1).sum(axis=1) / 0.65
    assert np.median(total) == pytest.approx(TOTAL_AM2[kind], rel=0.15)


def test_turning_a_vehicle_turns_its_permanent_moment_and_leaves_the_induced_one_along_the_earth() -> None:
    fleet = draw_fleet(np.random.default_rng(5), np.array([KINDS.index("sedan")]))
    one, nowhere = np.array([0]), np.array([0.0])
    vertical = np.array([0.0, 0.0, -40.0])
    ahead = fleet_field_ut(fleet, one, nowhere, nowhere, nowhere, vertical)[0]
    turned = fleet_field_ut(fleet, one, nowhere, nowhere, np.array([np.pi / 2]), vertical)[0]
    # About a vertical Earth field the whole world turns with the vehicle.
    assert turned == pytest.approx([-ahead[1], ahead[0], ahead[2]])
    tilted = fleet_field_ut(fleet, one, nowhere, nowhere, np.array([np.pi / 2]), np.array([40.0, 0.0, 0.0]))[
        0
    ]
    level = fleet_field_ut(fleet, one, nowhere, nowhere, nowhere, np.array([40.0, 0.0, 0.0]))[0]
    assert tilted != pytest.approx([-level[1], level[0], level[2]], rel=0.01)


def test_a_mix_is_drawn_in_its_proportions() -> None:
    kinds = draw_kinds(np.random.default_rng(1), {"sedan": 3.0, "van": 1.0}, 4000)
    assert set(kinds) == {KINDS.index("sedan"), KINDS.index("van")}
    assert (kinds == KINDS.index("sedan")).mean() == pytest.approx(0.75, abs=0.03)
