"""The simulated ranger answers a proper trigger pulse; its two kinds of silence look as on hardware."""

from __future__ import annotations

from pathlib import Path

import pytest
from derb_tools.board import HcSr04
from derb_tools.board.mpy import dev_hcsr04
from derb_tools.board.mpy.recording import EchoRecording
from tools.board.tiny import MakeBoard, write_echo

PING = """
    import machine, time
    from machine import Pin
    trig = Pin(25, Pin.OUT, value=0)
    echo = Pin(26, Pin.IN)
    def ping(trigger_us=10, timeout_us=30_000):
        trig.on()
        if trigger_us:
            time.sleep_us(trigger_us)
        trig.off()
        return machine.time_pulse_us(echo, 1, timeout_us)
"""


def test_pings_follow_the_recording(make_board: MakeBoard, tmp_path: Path) -> None:
    # The board's clock runs while the laptop computes, however busy it is: a record must outlast that.
    records = [(2000, [5800, 5810, 5790]), (2000, [2900, 2910, 2890])]
    ranger = HcSr04(write_echo(tmp_path / "bin.echo", records, period_ms=1_000_000))
    board = make_board(
        PING + "    print([ping() for _ in range(4)])\n    time.sleep(1000)\n    print(ping())",
        sensors=[ranger],
    )
    assert board.wake().log == ["[5800, 5810, 5790, 5800]", "2900"]


def test_no_echo_start_is_minus_2_and_no_echo_end_is_minus_1(make_board: MakeBoard, tmp_path: Path) -> None:
    ranger = HcSr04(write_echo(tmp_path / "bin.echo", [(2000, [-1, -2])]))
    board = make_board(PING + "    print(ping(), ping())", sensors=[ranger])
    result = board.wake()
    assert result.log == ["-2 -1"]
    assert 410 <= result.awake_ms <= 440  # each waited 30 ms


@pytest.mark.parametrize(("pulse_us", "heard"), [(9, False), (10, True)])
def test_a_short_trigger_pulse_is_not_heard(tmp_path: Path, pulse_us: int, heard: bool) -> None:
    file = write_echo(tmp_path / "bin.echo", [(2000, [5800])])
    with file.open("rb") as opened:
        ranger = dev_hcsr04.HcSr04(EchoRecording(opened, 0))
        ranger.triggered(1, 1000)
        ranger.triggered(0, 1000 + pulse_us)
        assert (ranger.next_edge_us(1000, 50_000) is not None) == heard


def test_a_ranger_that_is_not_there_never_answers(make_board: MakeBoard, tmp_path: Path) -> None:
    ranger = HcSr04(write_echo(tmp_path / "bin.echo", [(2000, [5800])]), answers=False)
    assert make_board(PING + "    print(ping())", sensors=[ranger]).wake().log == ["-2"]


def test_the_chip_is_as_warm_as_the_recording(make_board: MakeBoard, tmp_path: Path) -> None:
    ranger = HcSr04(write_echo(tmp_path / "bin.echo", [(3000, [5800])]))
    board = make_board("import esp32\nprint(esp32.raw_temperature())", sensors=[ranger])
    assert board.wake().log == ["86"]
