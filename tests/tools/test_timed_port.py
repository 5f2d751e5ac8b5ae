"""A port under mpremote: whatever the other end does not say, no wait is longer than it was told."""

from __future__ import annotations

from pathlib import Path

import pytest
from derb_tools.errors import PortError
from derb_tools.timed_port import DeadlineOver, TimedPort


class Line:
    """A port that gives its bytes one at a time and takes a second for each look."""

    timeout: float | None = None
    write_timeout: float | None = None

    def __init__(self, coming: bytes) -> None:
        self.coming = coming
        self.now_s = 0.0
        self.closed = False

    @property
    def in_waiting(self) -> int:
        self.now_s += 1
        return len(self.coming)

    def read(self, count: int) -> bytes:
        self.now_s += 1
        first, self.coming = self.coming[:1], self.coming[1:]
        return first

    def write(self, sent: bytes) -> int:
        return len(sent)

    def close(self) -> None:
        self.closed = True
        raise OSError("pulled")


def test_what_is_asked_for_comes_whole_or_not_at_all() -> None:
    line = Line(b"abcde")
    port = TimedPort(line, lambda: line.now_s)
    with port.within(10):
        assert port.read(3) == b"abc"
        with pytest.raises(DeadlineOver):
            port.read(3)
    assert 10 <= line.now_s < 12


def test_of_two_limits_the_nearer_counts_and_is_forgotten_afterwards() -> None:
    line = Line(b"")
    port = TimedPort(line, lambda: line.now_s)
    with port.within(5):
        with pytest.raises(DeadlineOver), port.within(100):
            port.read(1)
        assert line.now_s < 7
        with pytest.raises(DeadlineOver):
            port.write(b"x")
    assert port.write(b"x") == 1


def test_closing_a_port_that_was_pulled_is_no_error() -> None:
    line = Line(b"")
    TimedPort(line).close()
    assert line.closed


def test_a_port_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="ttyUSB9"):
        TimedPort.open(str(tmp_path / "ttyUSB9"))
