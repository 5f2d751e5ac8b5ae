import numpy as np
import pytest
from derb_tools.street.electric import (
    Cable,
    Metro,
    cable_field_ut,
    metro_field_ut,
    tram_field_ut,
    tram_loop_ut,
)
from derb_tools.street.metro import segments


@pytest.mark.parametrize(("distance_m", "field_ut"), [(12.0, 11.0), (20.0, 4.3), (50.0, 0.7), (100.0, 0.2)])
def test_a_tram_line_makes_the_field_of_its_loop(distance_m: float, field_ut: float) -> None:
    assert tram_loop_ut(1500.0, distance_m, leakage=0.0) == pytest.approx(field_ut, rel=0.1, abs=0.05)


def test_leakage_of_the_rails_adds_its_share() -> None:
    added = tram_loop_ut(1500.0, 20.0, leakage=0.04) - tram_loop_ut(1500.0, 20.0, leakage=0.0)
    assert added == pytest.approx(0.6, rel=0.01)


def test_trams_pull_the_field_in_one_direction_of_the_site() -> None:
    t = np.arange(0.0, 7200.0)
    field = tram_field_ut(np.random.default_rng(2), t, 12.0, start_h=8.0)
    spread = np.linalg.svd(field, compute_uv=False)
    assert spread[0] > 1.0
    assert spread[1] < 1e-9 * spread[0]


def test_no_tram_runs_at_night() -> None:
    t = np.arange(0.0, 3600.0)
    assert not tram_field_ut(np.random.default_rng(2), t, 12.0, start_h=1.0).any()


def test_metro_segments_have_the_spread_of_the_recordings() -> None:
    spans = [np.ptp(noise) for segment in segments() for noise in segment.noise_ut]
    assert np.percentile(spans, 5) == pytest.approx(3.7, rel=0.25)
    assert np.percentile(spans, 50) == pytest.approx(11.7, rel=0.25)
    assert np.percentile(spans, 95) == pytest.approx(28.0, rel=0.25)


def test_metro_noise_scales_and_has_no_offset() -> None:
    t = np.arange(0.0, 7200.0)
    once, twice = (
        metro_field_ut(np.random.default_rng(4), t, Metro(scale), segments(), 8.0) for scale in (1.0, 2.0)
    )
    assert twice == pytest.approx(2.0 * once)
    assert np.abs(once.mean(axis=0)).max() < 0.2


def test_a_mains_cable_beats_within_its_amplitude() -> None:
    t = np.round(np.arange(0.0, 7200.0) + np.random.default_rng(1).normal(0, 0.004, 7200), 3)
    field = cable_field_ut(np.random.default_rng(1), t, Cable((2.0, 2.0)), 20.0)
    assert 1.0 < np.linalg.norm(field, axis=1).max() < 2.8
