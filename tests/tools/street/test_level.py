import numpy as np
import pytest
from derb_tools.street import LEVEL_SCENARIOS, level_trace
from derb_tools.street.echoes import echo_us, sound_mm_per_us
from derb_tools.street.edinburgh import curves
from derb_tools.street.filling import draw_filling


@pytest.mark.parametrize("name", LEVEL_SCENARIOS)
def test_every_scenario_makes_readings_with_their_truth(name: str) -> None:
    trace = level_trace(name, 2, days=4.0)
    assert len(trace.t_ms) == len(trace.echo_us) == len(trace.truth.surface_mm)
    assert (np.diff(trace.t_ms) > 0).all()
    assert trace.echo_us.min() >= -2
    assert (trace.truth.surface_mm > 0).all()
    assert (trace.truth.fill_pct >= 0).all()


def test_the_same_seed_makes_the_same_readings() -> None:
    first, again = (level_trace("level_hell", 3, days=3.0) for _ in range(2))
    assert (first.echo_us == again.echo_us).all()
    assert (level_trace("level_hell", 4, days=3.0).truth.fill_pct != first.truth.fill_pct).any()


def test_sound_is_as_fast_as_the_textbook_says() -> None:
    assert sound_mm_per_us(0.0) == pytest.approx(0.3313)
    assert sound_mm_per_us(20.0) == pytest.approx(0.3433, abs=0.0002)
    assert echo_us(np.array([1000.0]), 20.0)[0] == pytest.approx(5826, abs=3)


@pytest.mark.parametrize("name", ["nominal", "hot", "cold"])
def test_the_middle_echo_tells_the_surface_once_temperature_is_counted(name: str) -> None:
    errors = []
    for seed in range(4):
        trace = level_trace(name, seed, days=8.0)
        for pings, temp, surface, accepted in zip(
            trace.echo_us, trace.temp_c100, trace.truth.surface_mm, trace.truth.accepted, strict=True
        ):
            if accepted == "ok" and (pings > 0).any():
                told = float(np.median(pings[pings > 0])) / 2 * sound_mm_per_us(temp / 100.0)
                errors.append(abs(told - surface) / trace.empty_mm * 100.0)
    assert np.median(errors) < 0.6
    assert np.percentile(errors, 90) < 2.5


def test_fill_rates_have_the_median_and_spread_of_real_bins() -> None:
    rates = []
    for seed in range(60):
        filling = draw_filling(np.random.default_rng(seed), 14 * 86400.0, 6.0, 0.02, None)
        rates.append(sum(d.points for d in filling.deposits) / 14.0)
    low, median, high = np.percentile(rates, [25, 50, 75])
    assert median == pytest.approx(45.6, rel=0.25)
    assert low == pytest.approx(30.0, rel=0.3)
    assert high == pytest.approx(71.0, rel=0.3)


def test_a_heap_stands_nearer_than_its_mean() -> None:
    bias = []
    for seed in range(8):
        trace = level_trace("nominal", seed, days=6.0)
        depth = trace.empty_mm - trace.full_mm
        level = (trace.empty_mm - trace.truth.surface_mm) / depth * 100.0
        bias.append(float(np.mean(level - trace.truth.fill_pct)))
    assert 4.0 < float(np.mean(bias)) < 16.0


def test_collections_lower_the_fill_and_are_marked_at_the_next_reading() -> None:
    trace = level_trace("fast_filling", 1, days=10.0)
    marked = np.flatnonzero(trace.truth.collected != "")
    assert len(marked) >= 5
    for index in marked[marked > 0]:
        assert trace.truth.fill_pct[index] < trace.truth.fill_pct[index - 1]


def test_partial_collections_leave_a_rest() -> None:
    trace = level_trace("partial_collections", 2, days=30.0)
    partial = trace.truth.collected == "partial"
    assert partial.any()
    assert trace.truth.fill_pct[partial].min() > 10.0


def test_each_fault_speaks_as_such_a_sensor_does() -> None:
    unplugged = level_trace("unplugged", 1, days=20.0)
    off = unplugged.truth.fault == "unplugged"
    assert off.any()
    assert (unplugged.echo_us[off] == -1).all()
    foam = level_trace("foam", 1, days=20.0)
    assert (foam.echo_us[foam.truth.fault == "foam"] < 0).mean() > 0.8
    wall = level_trace("wall_echo", 5, days=20.0)
    struck = wall.echo_us[wall.truth.fault == "wall_echo"]
    assert (struck > 0).any()


def test_real_curves_follow_the_bin() -> None:
    trace = level_trace("edinburgh", 0, days=20.0)
    curve = curves()[0]
    peaks = trace.truth.fill_pct[np.flatnonzero(trace.truth.collected != "") - 1]
    assert len(peaks) > 5
    assert np.median(peaks) == pytest.approx(np.median(curve.before_pct), abs=20.0)
