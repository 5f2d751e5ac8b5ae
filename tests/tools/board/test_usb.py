"""A cable carries bytes, comes and goes, and loses what the board's console has no room for; the console is strict."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from derb_tools.board.prompt_launcher import PromptLauncher
from derb_tools.board.usb import CONSOLE_BYTES, UsbCable
from tools.board.tiny import MakeBoard


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[UsbCable]:
    with UsbCable(tmp_path / "port") as plugged:
        yield plugged


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def read(fd: int, count: int) -> bytes:
    received = b""
    while len(received) < count:
        assert select.select([fd], [], [], 10)[0]
        received += os.read(fd, count - len(received))
    return received


def hung_up(fd: int) -> bool:
    """Whether a reader is told at once that nothing more will come: with an error or as an end, as kernels have it."""
    assert select.select([fd], [], [], 10)[0]
    try:
        return os.read(fd, 1) == b""
    except OSError:
        return True


def test_bytes_of_every_value_pass_both_ways(cable: UsbCable) -> None:
    laptop, board = os.open(cable.port, os.O_RDWR), os.open(cable.console, os.O_RDWR)
    os.write(laptop, bytes(range(256)))
    assert read(board, 256) == bytes(range(256))
    os.write(board, bytes(range(256)) * 4)
    assert read(laptop, 1024) == bytes(range(256)) * 4
    os.close(laptop)
    os.close(board)


def test_pulling_the_plug_hangs_up_and_plugging_in_is_a_new_port(cable: UsbCable) -> None:
    before = os.open(cable.port, os.O_RDWR)
    cable.unplug()
    assert not cable.port.exists()
    assert not cable.plugged
    assert hung_up(before)
    os.close(before)
    board = os.open(cable.console, os.O_RDWR)
    os.write(board, b"nobody hears this")
    wait_until(lambda: cable.counts["unplugged"] == 17)
    cable.plug()
    after = os.open(cable.port, os.O_RDWR)
    os.write(board, b"this is heard")
    assert read(after, 13) == b"this is heard"
    os.close(board)
    os.close(after)


def test_the_console_has_room_for_so_much_and_loses_the_rest(cable: UsbCable) -> None:
    laptop = os.open(cable.port, os.O_RDWR)
    for _ in range(10):
        os.write(laptop, bytes(100))
        time.sleep(0.02)
    wait_until(lambda: cable.counts["to_board"] + cable.counts["overrun"] == 1000)
    assert cable.counts["to_board"] <= CONSOLE_BYTES
    os.close(laptop)


def test_damage_on_the_way(cable: UsbCable) -> None:
    cable.to_board = lambda sent: sent[::-1]
    laptop, board = os.open(cable.port, os.O_RDWR), os.open(cable.console, os.O_RDWR)
    os.write(laptop, b"abc")
    assert read(board, 3) == b"cba"
    os.close(laptop)
    os.close(board)


def test_the_board_speaks_over_its_console_and_waits_for_it(make_board: MakeBoard, cable: UsbCable) -> None:
    board = make_board(
        """
        import select, sys
        poller = select.poll()
        poller.register(sys.stdin, select.POLLIN)
        sys.stdout.buffer.write(b"ready")
        assert poller.poll(10000)
        print(sys.stdin.buffer.read(1), poller.poll(20), sys.platform == "linux")
        """,
        console=cable.console,
        speed=1,
    )
    laptop = os.open(cable.port, os.O_RDWR)

    def answer() -> None:
        assert read(laptop, 5) == b"ready"
        os.write(laptop, b"\x03")

    thread = threading.Thread(target=answer)
    thread.start()
    log = board.wake().log
    thread.join()
    os.close(laptop)
    assert log == ["b'\\x03' [] True"]


def test_asking_the_console_for_more_than_there_is_would_wait_for_ever(
    make_board: MakeBoard, cable: UsbCable
) -> None:
    board = make_board("import sys\nsys.stdin.buffer.read(10)", console=cable.console, speed=1)
    assert board.wake().violations == ["the console was asked for 10 bytes and has 0"]


def test_ctrl_c_ends_no_program_that_ceases_to_mind_it(tmp_path: Path) -> None:
    fickle = (
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\nprint(flush=True)\nwhile True:\n"
        " signal.signal(signal.SIGINT, lambda *_: None)\n signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    )
    starter = PromptLauncher(tmp_path, heap_kb=64)
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "-c", fickle], stdout=pipe, stderr=nowhere) as process:
        assert process.stdout
        process.stdout.readline()
        starter._process = process
        taken: Counter[bool] = Counter()
        for each in range(600):
            time.sleep(each % 30 * 1e-5)  # it runs on in between, and is met now here, now there
            starter._told_at = None  # as if it had seen the last one
            taken[starter.interrupt()] += 1
        assert process.poll() is None
        process.kill()
        process.wait()
        assert not starter.interrupt()
    assert taken[True]
    assert taken[False]
