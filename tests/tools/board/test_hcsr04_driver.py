"""The node's driver for rangers with a trigger and an echo pin, on the simulated board: echoes, and what is none."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest
from derb_tools.board import HcSr04, SimBoard
from tools.board.tiny import KEY, NODE_ID, write_echo

DERB = Path(__file__).parents[3] / "firmware" / "derb"
NO_START, NO_END = -1, -2
PINGS = """
    from machine import Pin
    from derb.drivers.hcsr04 import HCSR04
    print(HCSR04(Pin(25, Pin.OUT, value=0), Pin(26, Pin.IN)).pings(9))
"""


def heard(folder: Path, echoes_us: list[int], *, answers: bool = True) -> list[int]:
    """What nine pings give; the recording begins anew at its end."""
    firmware = folder / "firmware"
    (firmware / "derb" / "drivers").mkdir(parents=True)
    for name in ("__init__.py", "drivers/__init__.py", "drivers/hcsr04.py"):
        shutil.copy(DERB / name, firmware / "derb" / name)
    (firmware / "main.py").write_text(textwrap.dedent(PINGS))
    ranger = HcSr04(
        write_echo(folder / "bin.echo", [(2000, echoes_us)], period_ms=1_000_000), answers=answers
    )
    board = SimBoard(
        folder / "board", firmware, node_id=NODE_ID, config={"kind": "level"}, key=KEY, sensors=[ranger]
    )
    board.factory()
    (line,) = board.wake().log
    return [int(word) for word in line.strip("[]").split(",")]


def test_echoes_come_as_they_are(tmp_path: Path) -> None:
    assert heard(tmp_path, [5800, 5810, 5790]) == [5800, 5810, 5790] * 3


def test_no_pulse_and_one_without_an_end_are_told_apart(tmp_path: Path) -> None:
    assert heard(tmp_path, [5800, NO_START]) == [5800, NO_START] * 4 + [5800]
    (tmp_path / "deaf").mkdir()
    assert heard(tmp_path / "deaf", [5800], answers=False) == [NO_START] * 9


@pytest.mark.parametrize("pulse_us", [61_000, 122_000, 130_000, 150_000, 179_000])
def test_the_end_of_a_pulse_of_the_ping_before_is_no_echo(tmp_path: Path, pulse_us: int) -> None:
    # Without an echo, clones hold their pin high for 0.1 s, 0.2 s or for ever; the rest of it would look like a distance.
    assert set(heard(tmp_path, [pulse_us])) == {NO_END}


def test_after_a_long_pulse_the_next_echo_is_heard_whole(tmp_path: Path) -> None:
    assert [echo_us for echo_us in heard(tmp_path, [150_000, 5800]) if echo_us != NO_END] == [5800] * 3
