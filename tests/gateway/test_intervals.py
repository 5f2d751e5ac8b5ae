"""Interval sets: the same as a set of numbers, only smaller."""

from itertools import pairwise

from derb_gateway.intervals import IntervalSet
from hypothesis import given
from hypothesis import strategies as st

spans = st.tuples(st.integers(0, 60), st.integers(0, 6)).map(lambda span: (span[0], span[0] + span[1]))


@given(st.lists(spans, max_size=30))
def test_it_holds_what_was_added_in_as_few_intervals_as_can_be(added: list[tuple[int, int]]) -> None:
    held = IntervalSet(added)
    numbers = {n for low, high in added for n in range(low, high + 1)}
    assert {n for n in range(70) if n in held} == numbers
    intervals = held.intervals()
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(intervals))


@given(st.lists(spans, min_size=1, max_size=30))
def test_a_run_is_the_whole_run(added: list[tuple[int, int]]) -> None:
    held = IntervalSet(added)
    low, high = held.run(added[0][0]) or (0, -1)
    assert low - 1 not in held
    assert high + 1 not in held
    assert all(n in held for n in range(low, high + 1))


def test_nothing_has_no_run() -> None:
    assert IntervalSet().run(0) is None
    assert IntervalSet([(5, 6)]).run(7) is None
