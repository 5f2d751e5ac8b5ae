"""The node's LIS3MDL driver on the simulated board: it reads the recording, watches through deep sleep, tests itself."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path

import pytest
from derb_tools.board import Lis3mdl, SimBoard
from tools.board.tiny import KEY, NODE_ID, write_mag

DERB = Path(__file__).parents[3] / "firmware" / "derb"
FIELD = (25_000, -10_000, 40_000, 2625)
PREAMBLE = """
    import esp32, machine
    from machine import I2C, Pin
    from derb.deadline import Deadline
    from derb.drivers import SensorError
    from derb.drivers.lis3mdl import LIS3MDL
    from derb.drivers.probe import find_magnetometer
    bus = I2C(0, scl=Pin(22), sda=Pin(21), freq=400_000)
    chip = LIS3MDL(bus)
"""


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    """The drivers, and nothing of the node."""
    folder = tmp_path / "firmware"
    shutil.copytree(
        DERB / "drivers", folder / "derb" / "drivers", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("__init__.py", "deadline.py"):
        shutil.copy(DERB / name, folder / "derb")
    return folder


def board_with(tmp_path: Path, firmware: Path, source: str, *parts: Lis3mdl) -> SimBoard:
    (firmware / "main.py").write_text(textwrap.dedent(PREAMBLE + source))
    board = SimBoard(
        tmp_path / "board",
        firmware,
        node_id=NODE_ID,
        config={"kind": "parking"},
        key=KEY,
        sensors=list(parts),
    )
    board.factory()
    return board


def chip(tmp_path: Path, *samples: tuple[int, int, int, int], **options: object) -> Lis3mdl:
    return Lis3mdl(write_mag(tmp_path / "field.mag", samples or (FIELD,)), **options)  # type: ignore[arg-type]


def test_it_reads_what_was_recorded(tmp_path: Path, firmware: Path) -> None:
    source = "    print(chip.start(), chip.read(Deadline(3000)), chip.start())"
    board = board_with(tmp_path, firmware, source, chip(tmp_path))
    # 6,842 LSB a gauss: half a step is 7 nT.
    assert board.wake().log == ["True (25007, -9998, 40002, 2625) False"]


def test_it_tests_itself_in_noise_and_goes_on(tmp_path: Path, firmware: Path) -> None:
    source = (
        "    chip.start(); chip.self_test(Deadline(3000)); print(chip.start(), chip.read(Deadline(3000))[3])"
    )
    board = board_with(tmp_path, firmware, source, chip(tmp_path, noise_nt=400))
    result = board.wake()
    assert result.log == ["True 2625"]
    assert result.awake_ms < 2000


def test_a_field_beyond_its_range_is_an_error_and_no_reading(tmp_path: Path, firmware: Path) -> None:
    source = """
    chip.start()
    try:
        print(chip.read(Deadline(3000)))
    except SensorError as error:
        print(error.code, error)
    """
    board = board_with(tmp_path, firmware, source, chip(tmp_path, (500_000, 0, 0, 2000)))
    assert board.wake().log == ["4 the LIS3MDL at address 0x1c is in a field beyond 4 gauss"]


def test_it_wakes_the_board_when_the_field_moves_and_lets_the_pin_go(tmp_path: Path, firmware: Path) -> None:
    source = """
    print(chip.start(), chip.moved())
    x, y, z, _ = chip.read(Deadline(3000))
    print(chip.watch(x, y, z, 3000, Deadline(3000)))
    esp32.wake_on_ext0(pin=Pin(4, Pin.IN), level=esp32.WAKEUP_ANY_HIGH)
    machine.deepsleep(60_000)
    """
    x, y, z, temp = FIELD
    samples = [(x, y + (12_000 if second >= 30 else 0), z, temp) for second in range(120)]
    board = board_with(tmp_path, firmware, source, chip(tmp_path, *samples, int_pin=4))
    assert board.wake().log == ["True False", "True"]
    due = board.next_wake()
    assert due is not None
    assert due[1] == "ext0"
    assert 30_000 <= due[0] <= 31_000
    assert board.wake().log == ["False True", "True"]
    due = board.next_wake()
    assert due is not None
    assert due[1] == "timer"


def test_it_is_found_at_either_address(tmp_path: Path, firmware: Path) -> None:
    source = "    chip = find_magnetometer(bus); print(type(chip).__name__, chip.start(), chip.read(Deadline(3000))[0])"
    board = board_with(tmp_path, firmware, source, chip(tmp_path, address=0x1E))
    assert board.wake().log == ["LIS3MDL True 25007"]


def test_an_empty_bus_is_told_in_a_sentence(tmp_path: Path, firmware: Path) -> None:
    source = """
    try:
        find_magnetometer(bus)
    except SensorError as error:
        print(error.code, error)
    """
    board = board_with(tmp_path, firmware, source)
    assert board.wake().log == ["1 nothing answers on the bus: check wires, pull-ups and power"]
