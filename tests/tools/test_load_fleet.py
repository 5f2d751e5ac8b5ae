"""A fleet and its broker: waited for, asked for, measured."""

import pytest
from derb_tools.errors import ToolError
from derb_tools.load_fleet import Fleet, connect_patiently, percentile
from derb_tools.load_node import LoadNode
from gateway.kit import free_port


class Refusing:
    """A broker that comes after so many refusals, and a clock that only sleep moves."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.now_s = refusals, 0.0

    def connect(self) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            raise ConnectionRefusedError

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_broker_that_comes_late_is_waited_for() -> None:
    late = Refusing(20)
    connect_patiently(late.connect, 5.0, lambda: late.now_s, late.sleep)
    assert late.now_s == pytest.approx(2.0)


def test_a_broker_that_never_comes_is_waited_for_no_longer_than_that() -> None:
    never = Refusing(1000)
    with pytest.raises(ConnectionRefusedError):
        connect_patiently(never.connect, 5.0, lambda: never.now_s, never.sleep)
    assert never.now_s == pytest.approx(5.0, abs=0.11)


def test_without_a_broker_it_asks_for_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr("derb_tools.load_fleet.connect_patiently", lambda connect: connect())
    fleet = Fleet([LoadNode("240ac4a1b2c3", bytes(32), 1)], ("127.0.0.1", port), 1)
    with pytest.raises(ToolError, match=f"nothing listens at 127.0.0.1:{port}: is the gateway running?"):
        fleet.run(1.0, 1.0, 1.0, 1.0)


def test_percentiles() -> None:
    assert percentile([], 50) is None
    assert [percentile([1.0, 2.0, 3.0, 4.0], p) for p in (0, 50, 99)] == [1.0, 3.0, 4.0]
