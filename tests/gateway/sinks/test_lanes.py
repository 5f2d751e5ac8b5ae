"""Two lanes over one store: nothing is passed over, nothing is passed twice, whatever their order."""

from pathlib import Path

import pytest
from derb_gateway.sinks.lanes import Lanes, Stretch, live_name, load_lanes, read_ahead, save_lanes
from derb_gateway.store import Store
from hypothesis import given
from hypothesis import strategies as st


def test_a_sink_that_keeps_up_has_one_lane() -> None:
    lanes = Lanes(10)
    assert lanes.backlog() is None
    assert lanes.live(10) is None
    assert lanes.live(12) == Stretch(10, 12)
    assert lanes.split(30, live_after=20, keep=5) == lanes
    assert lanes.passed("live", 12) == Lanes(12)


def test_a_sink_far_behind_gets_the_last_batch_first_and_the_past_behind_it() -> None:
    lanes = Lanes(0).split(100, live_after=20, keep=5)
    assert (lanes.live(100), lanes.backlog()) == (Stretch(95, 100), Stretch(0, 95))
    lanes = lanes.passed("live", 100)
    assert (lanes.live(100), lanes.backlog()) == (None, Stretch(0, 95))
    assert lanes.passed("backfill", 95) == Lanes(100)


def test_a_live_lane_that_falls_behind_too_leaves_a_second_gap() -> None:
    lanes = Lanes(0).split(100, 20, 5).passed("live", 100).split(300, 20, 5).passed("live", 300)
    assert lanes == Lanes(0, (Stretch(95, 100), Stretch(295, 300)))
    lanes = lanes.passed("backfill", 95)
    assert lanes.backlog() == Stretch(100, 295)
    assert lanes.passed("backfill", 295) == Lanes(300)


def test_gaps_are_bounded() -> None:
    lanes = Lanes(0)
    for top in range(100, 100_000, 100):
        lanes = lanes.split(top, 20, 5).passed("live", top)
    assert len(lanes.ahead) == 16


def test_zero_means_one_lane_for_ever() -> None:
    assert Lanes(0).split(10**9, 0, 5) == Lanes(0)


@given(st.lists(st.tuples(st.sampled_from(["live", "backfill", "more"]), st.integers(1, 60)), max_size=200))
def test_every_reading_leaves_once(moves: list[tuple[str, int]]) -> None:
    lanes, top, left = Lanes(0), 0, []
    for move, amount in [*moves, *[("live", 10**6), ("backfill", 10**6)] * 20]:
        if move == "more":
            top += amount
        lanes = lanes.split(top, 40, 7)
        stretch = lanes.live(top) if move == "live" else lanes.backlog()
        if move != "more" and stretch:
            upto = min(stretch.after + amount, stretch.upto)
            left += range(stretch.after + 1, upto + 1)
            lanes = lanes.passed("live" if move == "live" else "backfill", upto)
    assert sorted(left) == list(range(1, top + 1))
    assert lanes == Lanes(top)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "derb.sqlite3")
    lanes = Lanes(3, (Stretch(10, 20), Stretch(30, 40)))
    save_lanes(store, "city", lanes, "state")
    assert load_lanes(store, "city") == (lanes, "state")
    save_lanes(store, "city", Lanes(40), None)
    assert load_lanes(store, "city") == (Lanes(40), None)
    assert store.cursor(live_name("city")) == (0, None)
    store.close()


@pytest.mark.parametrize("text", [None, "", "[]"])
def test_no_stretches(text: str | None) -> None:
    assert read_ahead(text) == ()
