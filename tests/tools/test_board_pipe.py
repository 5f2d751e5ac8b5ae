"""The pipe to the firmware's interpreter: nothing lost, nothing left running, failures told."""

import threading
from collections.abc import Iterator

import pytest
from derb_tools.board_pipe import run_on_board
from derb_tools.errors import FirmwareFailed, PartMissing

ECHO = """
import sys
while True:
    line = sys.stdin.readline()
    if not line:
        break
    print(line.strip())
"""


@pytest.mark.parametrize("interpreter", ["unix", "cpython"])
def test_every_line_goes_through(interpreter: str) -> None:
    lines = [f"{i} {'x' * 50}" for i in range(5000)]
    assert list(run_on_board(ECHO, (line + "\n" for line in lines), interpreter=interpreter)) == lines


def test_an_exception_on_the_board_is_told_with_its_traceback() -> None:
    with pytest.raises(FirmwareFailed, match="ZeroDivisionError"):
        list(run_on_board("print('before')\n1 // 0", []))


def test_a_board_that_stops_reading_is_told() -> None:
    endless = (f"{i}\n" for i in range(10_000_000))
    with pytest.raises(FirmwareFailed, match="no more"):
        list(run_on_board("import sys\nsys.stdin.readline()\nraise ValueError('no more')", endless))


def test_what_the_lines_raise_is_raised_here() -> None:
    def lines() -> Iterator[str]:
        yield "1\n"
        raise LookupError("from the recording")

    with pytest.raises(LookupError, match="from the recording"):
        list(run_on_board(ECHO, lines()))


def test_a_caller_who_stops_early_leaves_no_thread_behind() -> None:
    results = run_on_board(ECHO, (f"{i}\n" for i in range(10_000_000)))
    assert next(results) == "0"
    results.close()  # type: ignore[attr-defined]
    feeders = [thread for thread in threading.enumerate() if thread.name == "derb-board-feeder"]
    for feeder in feeders:
        feeder.join(timeout=10)
        assert not feeder.is_alive()


def test_a_micropython_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROPYTHON", "/nowhere/micropython")
    with pytest.raises(PartMissing, match="/nowhere/micropython is not a program"):
        list(run_on_board(ECHO, []))
