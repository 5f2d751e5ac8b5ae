"""How fast a sink is fed: slower when it strains, faster again when it takes it well."""

import math

import pytest
from derb_gateway.sinks.pace import Pace


class Watch:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def watch() -> Watch:
    return Watch()


def feed(pace: Pace, watch: Watch, count: int, took_s: float = 0.1, times: int = 1) -> None:
    for _ in range(times):
        watch.s += took_s + pace.wait_s()
        pace.took(count, took_s, "live")


def test_nothing_waits_while_all_is_well(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    feed(pace, watch, 200, times=50)
    assert (pace.per_s, pace.wait_s(), pace.backfill_wait_s()) == (math.inf, 0, 0)


def test_a_bound_of_the_configuration_is_kept(watch: Watch) -> None:
    pace = Pace(100, 0, watch)
    start_s = watch.s
    feed(pace, watch, 50, took_s=0.0, times=11)
    assert watch.s - start_s == pytest.approx(5.0)


def test_an_overloaded_upstream_is_asked_for_half_of_what_it_took(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    feed(pace, watch, 100, took_s=0.1, times=20)
    pace.overloaded(None)
    assert pace.per_s == pytest.approx(500)
    feed(pace, watch, 100, took_s=0.1)
    before = pace.per_s
    pace.overloaded(None)
    assert pace.per_s == pytest.approx(before / 2, rel=0.1)


def test_an_outage_however_long_costs_half_the_pace_and_no_more(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    feed(pace, watch, 100, took_s=0.1, times=20)
    for _ in range(1000):
        pace.overloaded(None)
    assert pace.per_s == pytest.approx(500)


def test_a_slow_pace_is_made_up_for_in_seconds_not_in_batches(watch: Watch) -> None:
    """A backlog behind a sink that was never given much: each batch takes seconds, so few of them would be few steps."""
    pace = Pace(0, 0, watch)
    feed(pace, watch, 10, took_s=1.0, times=20)
    pace.overloaded(None)
    assert pace.per_s == pytest.approx(5)
    start_s = watch.s
    while pace.per_s < 100:
        feed(pace, watch, 100, took_s=0.1)
    assert watch.s - start_s < 60


def test_a_quiet_street_is_not_taken_for_an_upstream_that_takes_little(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    for _ in range(50):
        watch.s += 60
        feed(pace, watch, 1, took_s=0.05)
    pace.overloaded(None)
    assert pace.per_s == pytest.approx(10)


def test_from_the_slowest_pace_a_backlog_is_made_up_for_in_a_minute(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    for _ in range(100):
        pace.overloaded(None)
        feed(pace, watch, 1, took_s=100.0)
    assert pace.per_s < 5
    start_s, left = watch.s, 1000
    while left > 0:
        size = pace.size(200)
        feed(pace, watch, size, took_s=0.05)
        assert pace.wait_s() <= 4.0
        left -= size
    assert watch.s - start_s < 60


def test_a_pause_that_it_asks_for_is_kept_up_to_five_minutes(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    pace.overloaded(7.0)
    assert pace.wait_s() == 7.0
    pace.overloaded(1e9)
    assert pace.wait_s() == 300.0


def test_there_is_a_least_pace(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    for _ in range(100):
        pace.overloaded(None)
        pace.took(1, 100.0, "live")
        watch.s += 100
    pace.overloaded(None)
    assert pace.per_s == 1.0


def test_it_grows_again_until_nothing_bounds_it(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    feed(pace, watch, 100, times=20)
    pace.overloaded(None)
    feed(pace, watch, 100, times=10)
    assert 500 < pace.per_s < 1000
    feed(pace, watch, 100, times=500)
    assert pace.per_s == math.inf


def test_answers_that_take_far_longer_than_usual_slow_it_down(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    feed(pace, watch, 100, took_s=0.5, times=20)
    feed(pace, watch, 100, took_s=1.9)
    assert pace.per_s == math.inf
    feed(pace, watch, 100, took_s=5.0)
    assert pace.per_s < 200


def test_the_past_has_a_pace_of_its_own(watch: Watch) -> None:
    pace = Pace(0, 50, watch)
    pace.took(100, 0.1, "backfill")
    assert (pace.wait_s(), pace.backfill_wait_s()) == (0, 2.0)
    pace.took(100, 0.1, "live")
    assert pace.backfill_wait_s() == 2.0


def test_a_batch_of_the_past_is_as_large_as_a_tenth_of_a_second_takes(watch: Watch) -> None:
    pace = Pace(0, 0, watch)
    assert pace.backfill_size(1000) == 50
    pace.took(50, 0.05, "backfill")
    assert pace.backfill_size(1000) == 100
    for _ in range(100):
        pace.took(1000, 0.0, "backfill")
    assert pace.backfill_size(1000) == 1000
    pace = Pace(0, 0, watch)
    for _ in range(100):
        pace.took(50, 5.0, "backfill")
    assert (pace.backfill_size(1000), pace.backfill_size(20)) == (50, 20)
