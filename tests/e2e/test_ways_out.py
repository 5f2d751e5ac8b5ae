"""Every way out of a wake ends in sleep, longer each time; safe mode is graded; a technician gets in after a cold start only."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.board import SimBoard
from derb_tools.board.nvs import write_nvs
from derb_tools.board.supervise import Patience
from derb_tools.demo.plan import Ports, make_board
from derb_tools.firmware_files import firmware_dir
from derb_tools.thirdparty import umqtt_dir

from tests.e2e.rig import free_port, planned

BUDGET_MS = 60_000 + 5_000  # the first watchdog, when nothing else ends it


def broken_board(folder: Path, module: str, line: str) -> SimBoard:
    """A board whose copy of one module does `line` when it is imported."""
    firmware = folder / "firmware"
    shutil.copytree(firmware_dir(), firmware, ignore=shutil.ignore_patterns("__pycache__"))
    source = firmware / "derb" / module
    source.write_text(f"{source.read_text()}\n{line}\n")
    node = planned(folder, 1, "level", wake_s=300)
    board = make_board(folder / "boards", node, Ports(free_port(), free_port()), speed=0)
    board.firmware = firmware
    board.patience = Patience(spin_s=0.3)
    board.site = replace(board.site, ap_up=False)
    board.factory([umqtt_dir()])
    return board


@pytest.mark.parametrize("module", ["node.py", "container.py", "trip.py"])
@pytest.mark.parametrize(
    "line",
    [
        "raise MemoryError",
        "raise KeyboardInterrupt",
        "raise SystemExit",
        "raise ValueError",
        "while True: pass",
    ],
)
def test_a_wake_that_fails_sleeps_longer_each_time(module: str, line: str, tmp_path: Path) -> None:
    board = broken_board(tmp_path, module, line)
    ends, sleeps = [], []
    for _ in range(8):
        result = board.wake()
        assert result.awake_ms < BUDGET_MS, result
        ends.append(result.end)
        if result.end == "deepsleep":
            sleeps.append(result.sleep_ms or 0)
    assert set(ends) <= {"deepsleep", "wdt"}, ends
    assert "wdt, wdt" not in ", ".join(ends), "a board that died must rest before it tries again"
    assert sleeps[-1] > 2 * sleeps[0] >= 60_000, sleeps


@pytest.mark.parametrize(
    "emptied", ["derb/__init__.py", "derb/wake.py", "derb/node.py", "derb/trip.py", "slots.py"]
)
def test_a_module_that_became_empty_ends_every_wake_in_sleep(emptied: str, tmp_path: Path) -> None:
    board = broken_board(tmp_path, "node.py", "")
    (board.firmware / emptied).write_text("")
    board.factory([umqtt_dir()])
    if emptied == "slots.py":
        write_nvs(board.dir / "nvs", "derb", {"slot": bytes((1, 0, 0, 0, 101, 0, 0, 0))})
    for _ in range(4):
        result = board.wake()
        assert result.end == "deepsleep", result
        assert result.awake_ms < BUDGET_MS, result


def test_a_sensor_that_kills_the_wake_is_left_out_in_the_end_and_the_node_still_speaks(
    tmp_path: Path,
) -> None:
    board = broken_board(tmp_path, "container.py", "raise ValueError")
    results = [board.wake() for _ in range(8)]
    levels = [line.split()[2] for result in results for line in result.log if line.startswith("derb level")]
    assert levels[-1] == "3", levels
    said = [line for result in results for line in result.log]
    assert any(line.startswith("derb kept") and line.split()[4] == "3" for line in said), said
    assert any(line.startswith("derb failed") for line in said), "it tried to send its sign of life"


def test_a_key_after_a_cold_start_is_let_in_and_at_no_other_time(tmp_path: Path) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300)
    board = make_board(tmp_path / "boards", node, Ports(free_port(), free_port()), speed=0)
    board.site = replace(board.site, ap_up=False)
    assert board.wake(uart_in={0: b"\r"}).end == "exit"
    board.power_cut()
    cold = board.wake()
    assert cold.end == "deepsleep", cold
    later = board.wake(uart_in={0: b"\r\x03\x03"})
    assert later.cause == "timer", later
    assert later.end == "deepsleep", later
    assert not later.said("press a key"), later


def test_a_board_that_loses_power_again_and_again_rests_before_the_radio(tmp_path: Path) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300)
    board = make_board(tmp_path / "boards", node, Ports(free_port(), free_port()), speed=0)
    radio = []
    for _ in range(6):
        result = board.wake(cut_at_write=None)
        radio.append(result.wifi_on_ms > 0)
        if result.end == "deepsleep" and result.said("derb rest"):
            break
        # What a brownout at the first transmission does: the wake never came to its end.
        board.power_cut()
        write_nvs(board.dir / "nvs", "derb", {"starts": len(radio)})
    assert radio[-1] is False, radio
    assert result.sleep_ms is not None
    assert result.sleep_ms >= 60_000
