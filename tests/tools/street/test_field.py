import numpy as np
import pytest
from derb_tools.street.field import CASABLANCA_NED_UT, dipole_field_ut, earth_field_ut, random_rotation


def test_earth_field_of_casablanca_has_its_magnitude_and_dip_whatever_the_heading() -> None:
    for heading in np.linspace(0.0, 6.0, 7):
        field = earth_field_ut(float(heading))
        assert np.linalg.norm(field) == pytest.approx(41.78, abs=0.01)
        assert np.degrees(np.arctan2(-field[2], np.hypot(field[0], field[1]))) == pytest.approx(45.4, abs=0.1)


def test_a_bay_that_points_north_sees_north_ahead_and_west_to_its_left() -> None:
    ahead, left, up = earth_field_ut(0.0)
    assert (ahead, left, up) == pytest.approx((29.34, 0.27, -29.75))
    assert CASABLANCA_NED_UT[1] < 0


@pytest.mark.parametrize("distance_m", [0.5, 1.0, 2.5])
def test_dipole_matches_its_closed_form_on_the_axis_and_beside_it(distance_m: float) -> None:
    moment = np.array([0.0, 0.0, 26.0])
    on_axis = dipole_field_ut(np.array([0.0, 0.0, distance_m]), moment)
    beside = dipole_field_ut(np.array([distance_m, 0.0, 0.0]), moment)
    assert on_axis == pytest.approx([0, 0, 0.1 * 2 * 26.0 / distance_m**3])
    assert beside == pytest.approx([0, 0, -0.1 * 26.0 / distance_m**3])


def test_dipole_field_has_no_divergence() -> None:
    place, moment, step = np.array([0.7, -0.4, 0.5]), np.array([3.0, -7.0, 11.0]), 1e-5
    divergence = 0.0
    for axis in range(3):
        shift = np.eye(3)[axis] * step
        above, below = dipole_field_ut(place + shift, moment), dipole_field_ut(place - shift, moment)
        divergence += (above[axis] - below[axis]) / (2 * step)
    assert divergence == pytest.approx(0.0, abs=1e-5)


def test_random_rotations_turn_without_stretching_or_mirroring() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        turn = random_rotation(rng)
        assert turn @ turn.T == pytest.approx(np.eye(3))
        assert np.linalg.det(turn) == pytest.approx(1.0)
