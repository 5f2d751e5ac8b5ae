import numpy as np
import pytest
from derb_tools.street import SCENARIOS, parking_trace
from derb_tools.street.field import CASABLANCA_NED_UT
from derb_tools.street.scenarios import from_notes
from derb_tools.street.trace import FREE, OCCUPIED

SHORT_DAYS = 0.1


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_makes_a_recording_with_its_truth(name: str) -> None:
    trace = parking_trace(name, seed=3, days=SHORT_DAYS)
    assert len(trace.t_ms) == len(trace.field_nt) == len(trace.temp_c100) == len(trace.truth_state)
    assert (np.diff(trace.t_ms) > 0).all()
    assert (np.diff(trace.truth.t_ms) > 0).all()
    assert trace.t_ms[0] == trace.truth.t_ms[0] == 0
    assert trace.truth.end_ms == round(SHORT_DAYS * 86_400_000)
    assert np.abs(trace.field_nt).max() <= 1_300_000


def test_the_28_scenarios_of_the_notes_are_there() -> None:
    assert sum(map(from_notes, SCENARIOS)) == 28


def test_the_same_seed_makes_the_same_recording_and_another_seed_another() -> None:
    first, again = (parking_trace("street_hell", 5, SHORT_DAYS, rssi=True) for _ in range(2))
    other = parking_trace("street_hell", 6, SHORT_DAYS, rssi=True)
    assert (first.field_nt == again.field_nt).all()
    assert (first.rssi_dbm == again.rssi_dbm).all()
    assert list(first.restart) == list(again.restart)
    assert (first.truth.t_ms == again.truth.t_ms).all()
    assert first.field_nt[:100].tolist() != other.field_nt[:100].tolist()


def test_another_chip_or_period_leaves_the_street_as_it_was() -> None:
    usual = parking_trace("nominal_perp", 5, 0.3)
    for other in (
        parking_trace("nominal_perp", 5, 0.3, chip="BMM150"),
        parking_trace("nominal_perp", 5, 0.3, period_s=5.0),
        parking_trace("nominal_perp", 5, 0.3, rssi=True),
    ):
        assert other.truth.t_ms.tolist() == usual.truth.t_ms.tolist()
        assert other.truth.vehicle.tolist() == usual.truth.vehicle.tolist()


def test_the_truth_lies_where_the_field_steps() -> None:
    """With a clean chip: still before the manoeuvre, off by the standing field after it."""
    checked = 0
    for seed in range(6):
        trace = parking_trace("nominal_parallel", seed, 0.5, chip="RM3100")
        truth = trace.truth
        for index in np.flatnonzero(truth.note == "arriving"):
            if truth.vehicle[index] != "sedan" or index + 1 >= len(truth.t_ms):
                continue
            before, stop = np.searchsorted(trace.t_ms, [truth.t_ms[index] - 45_000, truth.t_ms[index + 1]])
            step = np.linalg.norm(trace.field_ut[stop + 3] - trace.field_ut[before])
            after = np.ptp(trace.field_ut[stop + 1 : stop + 4], axis=0).max()
            checked += 1
            assert step > 1.5
            assert after < max(3.0, step / 2)
    assert checked >= 5


def test_manoeuvres_take_the_time_of_real_ones() -> None:
    lengths: list[float] = []
    for seed in range(8):
        truth = parking_trace("brief_stops", seed, 1.0, period_s=30.0).truth
        at = np.flatnonzero(truth.note[:-1] == "arriving")
        lengths += ((truth.t_ms[at + 1] - truth.t_ms[at]) / 1000.0).tolist()
    assert 5.0 < float(np.median(lengths)) < 20.0
    assert max(lengths) < 60.0


def test_empty_bays_show_the_earth_and_the_nodes_own_iron() -> None:
    strengths = []
    for seed in range(12):
        trace = parking_trace("nominal_perp", seed, 0.01, chip="RM3100")
        strengths.append(np.linalg.norm(trace.field_ut[:100].mean(axis=0)))
    earth = float(np.linalg.norm(CASABLANCA_NED_UT))
    assert 0.3 * earth < float(np.median(strengths)) < 2.5 * earth


def test_a_product_under_the_summer_sun_drifts_more_than_a_car_weighs() -> None:
    trace = parking_trace("hot_asphalt_drift", 5, 1.0)
    free = trace.truth_state == FREE
    assert np.ptp(trace.temp_c100) > 2000
    assert np.ptp(trace.field_ut[free], axis=0).max() > 20.0


def test_installed_under_a_car_means_occupied_from_the_first_sample() -> None:
    assert parking_trace("boot_occupied", 1, SHORT_DAYS).truth_state[0] == OCCUPIED


def test_signal_is_ten_to_fifteen_db_lower_under_a_car() -> None:
    trace = parking_trace("nominal_perp", 2, 3.0, rssi=True, period_s=30.0)
    assert trace.rssi_dbm is not None
    judged = ~trace.truth_excluded
    free = trace.rssi_dbm[judged & (trace.truth_state == FREE)]
    under = trace.rssi_dbm[judged & (trace.truth_state == OCCUPIED)]
    assert 8.0 < free.mean() - under.mean() < 17.0
    assert 3.0 < free.std() < 6.0


def test_drift_carries_a_crossing_field_through_the_empty_value() -> None:
    """Half-way through some stay the field is nearer to that before the arrival than it was at the stop."""
    nearer = 0
    for seed in range(4):
        trace = parking_trace("zero_crossing", seed, 1.0, period_s=5.0)
        truth = trace.truth
        for index in np.flatnonzero((truth.state[:-1] == OCCUPIED) & ~truth.excluded[:-1]):
            begin, end = int(truth.t_ms[index]), int(truth.t_ms[index + 1])
            if end - begin < 7_200_000:
                continue
            empty, stop, half = (
                trace.field_ut[np.searchsorted(trace.t_ms, at)]
                for at in (begin - 60_000, begin + 5_000, (begin + end) // 2)
            )
            nearer += float(np.linalg.norm(half - empty)) < 0.7 * float(np.linalg.norm(stop - empty))
    assert nearer >= 3


def test_stuck_and_saturated_readings_are_marked_and_not_judged() -> None:
    trace = parking_trace("stuck_saturated", 1, 1.0)
    marked = np.isin(trace.truth.note[trace.truth.index_at(trace.t_ms)], ["stuck", "saturated"])
    assert marked.any()
    assert trace.truth_excluded[marked].all()


def test_irregular_and_sleeping_nodes_sample_at_uneven_times() -> None:
    gaps = np.diff(parking_trace("irregular_times", 1, SHORT_DAYS).t_ms)
    assert gaps.min() < 1000 < 3000 < gaps.max()
    gaps = np.diff(parking_trace("wake_on_change", 2, 0.5).t_ms)
    assert np.percentile(gaps, 1) < 1100
    assert gaps.max() < 32_000
