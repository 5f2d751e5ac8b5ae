"""When a reading was made, and when a second opinion is better than the first."""

import pytest
from derb_gateway.store import StoredTime
from derb_gateway.times import AGE_BELIEVED_S, ReadingTime, error_s, quality, reading_time, surer
from gateway.kit import NOW_MS, arrival, frame


def test_an_age_is_subtracted_from_the_moment_of_arrival() -> None:
    assert reading_time(arrival(frame(0)), 60, lower_bound=False) == (NOW_MS - 60_000, 0, False)


def test_what_the_broker_held_is_bounded() -> None:
    assert reading_time(arrival(frame(0), error_ms=5_000), 60, lower_bound=False).error_ms == 5_000


@pytest.mark.parametrize(
    ("age_s", "held_ms", "error"), [(99, 0, 0), (100, 0, 1_000), (86_399, 0, 863_000), (600, 5_500, 11_500)]
)
def test_an_age_is_as_wrong_as_the_node_s_clock(age_s: int, held_ms: int, error: int) -> None:
    time = reading_time(arrival(frame(0), error_ms=held_ms), age_s, lower_bound=False)
    assert time.error_ms == error


def test_a_lower_bound_bounds_nothing() -> None:
    assert reading_time(arrival(frame(0)), 60, lower_bound=True) == (NOW_MS - 60_000, None, True)


def test_an_age_that_no_node_can_have_does_not_make_a_year_that_no_calendar_has() -> None:
    time = reading_time(arrival(frame(0)), 2**32 * 100, lower_bound=False)
    assert time == (NOW_MS - AGE_BELIEVED_S * 1000, None, False)


@pytest.mark.parametrize(
    ("observed_s", "error", "better"),
    [
        (0, 0, True),  # it was not held at all
        (-30, 0, True),
        (-61, 0, True),  # at the far end, and a little slack
        (-70, 0, False),  # it contradicts what is stored
        (+10, 0, False),  # later than it can have been: a recorded frame sent again
        (0, 60_000, False),  # says no more
        (0, None, False),
    ],
)
def test_a_surer_time_must_not_contradict_the_stored_one(
    observed_s: int, error: int | None, better: bool
) -> None:
    stored = StoredTime(1, NOW_MS, 60_000)
    assert surer(ReadingTime(NOW_MS + observed_s * 1000, error, False), stored, 2_000) is better


def test_against_no_bound_any_bound_is_better_but_never_a_later_moment() -> None:
    stored = StoredTime(1, NOW_MS, None)
    assert surer(ReadingTime(NOW_MS - 10**9, 5, False), stored, 2_000)
    assert not surer(ReadingTime(NOW_MS + 10_000, 0, False), stored, 2_000)


def test_words_and_whole_seconds_for_the_upstream() -> None:
    words = ["exact", "exact", "bounded", "uncertain"]
    assert [quality(error) for error in (0, 4_999, 5_000, None)] == words
    assert [error_s(error) for error in (0, 1, 1000, 1001, None)] == [0, 1, 1, 2, None]
