"""A flood of one message is written some times and summed up once; nothing else is held back by it."""

import logging
from collections.abc import Callable

from derb_gateway.log_flood import _KINDS, FloodGate


class Gate:
    """A gate with a clock that stands still and what it wrote."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.sums: list[logging.LogRecord] = []
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.gate = FloodGate(
            self.sums.append,
            most=3,
            window_s=60,
            now_s=lambda: self.now_s,
            after=lambda seconds, work: self.later.append((seconds, work)),
        )

    def passes(
        self, message: str = "disk refused a batch", level: int = logging.ERROR, **extra: object
    ) -> bool:
        record = logging.getLogger("derb").makeRecord("derb", level, "f", 1, message, (), None)
        vars(record).update(extra)
        return self.gate.filter(record)

    def told(self) -> list[int]:
        return [vars(record)["left_out"] for record in self.sums]


def test_ten_thousand_become_three_and_one_sum() -> None:
    gate = Gate()
    assert sum(gate.passes(why="full") for _ in range(10_000)) == 3
    ((seconds, sum_up),) = gate.later
    assert seconds == 60
    gate.now_s = 61
    sum_up()
    assert gate.told() == [9_997]
    assert gate.sums[0].getMessage() == "disk refused a batch"
    assert vars(gate.sums[0])["why"] == "full"


def test_after_a_window_it_is_heard_again() -> None:
    gate = Gate()
    for _ in range(3):
        assert gate.passes()
    gate.now_s = 61
    assert gate.passes()
    assert gate.later == []


def test_another_text_another_level_and_another_sink_are_other_kinds() -> None:
    gate = Gate()
    assert [gate.passes(sink="a") for _ in range(4)] == [True, True, True, False]
    assert gate.passes(sink="b")
    assert gate.passes("another text", sink="a")
    assert gate.passes(level=logging.WARNING, sink="a")


def test_nodes_make_no_kinds_so_many_of_them_are_one_flood() -> None:
    gate = Gate()
    assert sum(gate.passes(node=f"{n:012x}") for n in range(1_000)) == 3


def test_at_the_end_what_was_left_out_is_told_at_once() -> None:
    gate = Gate()
    for _ in range(5):
        gate.passes()
    gate.gate.sum_up()
    assert gate.told() == []
    gate.gate.sum_up(all_of_them=True)
    assert gate.told() == [2]


def test_texts_without_end_take_no_memory_without_end_and_are_summed_up_too() -> None:
    gate = Gate()
    for n in range(2 * _KINDS):
        gate.passes(f"text {n}")
    assert len(gate.gate._kinds) <= _KINDS + 1
    gate.gate.sum_up(all_of_them=True)
    assert sum(gate.told()) == _KINDS - 3
