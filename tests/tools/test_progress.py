"""On a terminal a long recording says how far it is; elsewhere nothing is said."""

import io
import sys
from collections.abc import Iterator
from itertools import count

import pytest
from derb_tools.progress import with_progress
from derb_tools.trace_samples import LevelSample


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def samples() -> Iterator[LevelSample]:
    return (LevelSample(n * 43_200_000, (-1,), 2000) for n in range(6))


@pytest.mark.parametrize(
    ("stderr", "said"), [(Terminal(), True), (io.StringIO(), False)], ids=["tty", "file"]
)
def test_a_terminal_alone_is_told(stderr: io.StringIO, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    ticks = count()
    assert list(with_progress(samples(), lambda: next(ticks) * 0.6)) == list(samples())
    assert ("derb: 1.5 days of the recording" in stderr.getvalue()) == said
    assert stderr.getvalue().endswith("\r\x1b[K") == said


def test_a_short_one_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert list(with_progress(samples(), lambda: 0.0)) == list(samples())
    assert stderr.getvalue() == ""
