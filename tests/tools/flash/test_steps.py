"""Steps: each is timed and said, a failed one too; no bar where nobody looks."""

import io

import pytest
from derb_tools.flash.steps import Steps
from rich.console import Console


def steps(*, quiet: bool = False) -> Steps:
    times = iter([10.0, 12.5, 12.5, 20.0, 21.0])
    shown = Console(file=io.StringIO(), highlight=False, soft_wrap=True)
    return Steps(quiet, clock_s=lambda: next(times), console=shown)


def shown(of: Steps) -> str:
    assert isinstance(of.console.file, io.StringIO)
    return of.console.file.getvalue()


def test_a_step_is_shown_with_its_time_and_what_came_of_it() -> None:
    made = steps()
    with made.step("build") as said:
        said.append("4 kB")
    assert shown(made) == "build       2.5 s  4 kB\n"
    assert made.seconds == {"build": 2.5}


def test_a_step_that_failed_is_shown_too() -> None:
    made = steps()
    with pytest.raises(ValueError), made.step("write"):
        raise ValueError
    assert shown(made) == "write       2.5 s  failed\n"
    assert made.seconds == {}


def test_nothing_is_shown_when_it_shall_be_quiet_and_no_bar_without_a_terminal() -> None:
    made = steps(quiet=True)
    with made.step("build") as said, made.bar(100) as advance:
        said.append("x")
        advance(100)
    assert shown(made) == ""
    loud = steps()
    with loud.bar(100) as advance:
        advance(100)
    assert shown(loud) == ""
