"""The file system is a real littlefs on flash that loses power at any write."""

from __future__ import annotations

from typing import get_args

import pytest
from derb_tools.board import Cut, CutMode
from tools.board.tiny import MakeBoard

# Writes two files in turn, each as a new file renamed over the old; says which generation it finds.
SCRIPT = """
    import esp32, machine, os

    def found(name):
        try:
            with open(name) as file:
                return int(file.read())
        except OSError as error:
            if error.errno != 2:
                raise
            return 0

    generation = found("a")
    print("found", generation, found("b"), len(os.listdir("/")))
    for name in "ab":
        with open("new", "w") as file:
            file.write("%0200d" % (generation + 1))
        os.rename("new", name)
    nvs = esp32.NVS("derb")
    nvs.set_i32("one", generation + 1)
    nvs.set_i32("two", generation + 1)
    nvs.commit()
    machine.deepsleep(1000)
"""


def found(line: str) -> tuple[int, int]:
    _, first, second, _ = line.split()
    return int(first), int(second)


@pytest.mark.parametrize("mode", get_args(CutMode))
def test_littlefs_survives_a_cut_at_every_write(make_board: MakeBoard, mode: CutMode) -> None:
    board = make_board(SCRIPT)
    board.wake()
    writes = board.wake().block_writes
    assert writes > 8
    for cut_at in range(1, writes + 1):
        board = make_board(SCRIPT, name=f"cut-{cut_at}")
        board.wake()
        assert board.wake(cut=Cut(at_write=cut_at, mode=mode)).end == "power_cut"
        after = board.wake()
        assert after.end == "deepsleep", after
        assert found(after.log[0]) in {(1, 1), (2, 1), (2, 2)}, after
        last = board.wake()
        assert found(last.log[0]) == (found(after.log[0])[0] + 1,) * 2


@pytest.mark.parametrize(("mode", "kept"), [("before", None), ("torn", None), ("after", 1)])
def test_an_nvs_entry_is_old_or_new(make_board: MakeBoard, mode: CutMode, kept: int | None) -> None:
    board = make_board("""
        import esp32
        nvs = esp32.NVS("derb")
        nvs.set_i32("one", 1)
        nvs.commit()
        print("committed")
    """)
    result = board.wake(cut=Cut(at_write=1, mode=mode))
    assert (result.end, result.log, result.nvs_writes) == ("power_cut", [], 1)
    assert board.nvs()["derb"].get("one") == kept


def test_no_line_of_the_firmware_runs_after_a_cut(make_board: MakeBoard) -> None:
    board = make_board("""
        try:
            with open("x", "w") as file:
                file.write("x" * 100)
        except BaseException:
            print("except")
        finally:
            print("finally")
    """)
    result = board.wake(cut_at_write=1)
    assert (result.end, result.log) == ("power_cut", [])


def test_a_cut_beyond_the_last_write_does_not_happen(make_board: MakeBoard) -> None:
    assert make_board("print('quiet')").wake(cut_at_write=1).end == "exit"


def test_writes_are_counted(make_board: MakeBoard) -> None:
    result = make_board("with open('x', 'w') as file:\n    file.write('x' * 10_000)").wake()
    assert result.programs >= 3
    assert result.erases >= 3
    assert result.block_writes == result.programs + result.erases
