"""What the intake remembers of a node."""

from derb_gateway.downlink import Range
from derb_gateway.intervals import IntervalSet
from derb_gateway.node_state import NodeState


def tag(number: int) -> bytes:
    return number.to_bytes(8, "big")


def test_the_very_same_frame_is_known_again_even_after_a_restart() -> None:
    state = NodeState(0, 0, 0, b"")
    assert not state.heard(tag(1), 1, 0, 0, 5)
    assert state.heard(tag(1), 1, 0, 0, 6)
    again = NodeState(state.first_ms, state.last_ms, state.frames, b"".join(state.tags))
    assert again.heard(tag(1), 1, 0, 0, 7)
    assert (again.frames, again.last_ms) == (3, 7)


def test_what_was_held_on_its_way_does_not_take_back_when_a_node_was_heard_and_a_clock_put_right_does() -> (
    None
):
    state = NodeState(0, 50, 0, b"")
    for number, at_ms, held, last_ms in ((1, 40, True, 50), (2, 60, True, 60), (3, 30, False, 30)):
        state.heard(tag(number), 1, number, number, at_ms, held=held)
        assert state.last_ms == last_ms


def test_only_the_latest_tags_are_kept() -> None:
    state = NodeState(0, 0, 0, b"")
    for number in range(100):
        state.heard(tag(number), 1, number, number, 0)
    assert len(b"".join(state.tags)) == 32 * 8
    assert not state.heard(tag(0), 1, 0, 0, 0)


def test_ranges_are_the_runs_around_the_latest_frames_each_once() -> None:
    known = {1: IntervalSet([(0, 5), (9, 12)]), 2: IntervalSet([(0, 0)])}
    state = NodeState(0, 0, 0, b"")
    for number, (boot, sequence) in enumerate([(1, 2), (1, 5), (1, 10), (2, 0)]):
        state.heard(tag(number), boot, sequence, sequence, 0)
    assert state.ranges(known.__getitem__) == [Range(2, 0, 0), Range(1, 9, 12), Range(1, 0, 5)]


def test_never_more_ranges_than_a_downlink_holds() -> None:
    known = IntervalSet([(i, i) for i in range(0, 100, 2)])
    state = NodeState(0, 0, 0, b"")
    for i in range(0, 100, 2):
        state.heard(tag(i), 1, i, i, 0)
    ranges = state.ranges(lambda _: known)
    assert [r.last for r in ranges] == [98, 96, 94, 92, 90, 88, 86, 84]
