"""The firmware frozen in a custom image: a wake mounts no file system until it needs flash, and makes one where there is none."""

from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.board import SimBoard
from derb_tools.board.nvs import write_nvs
from derb_tools.demo.plan import Ports, make_board
from derb_tools.firmware_files import firmware_dir
from derb_tools.thirdparty import umqtt_dir

from tests.e2e.rig import Rig, free_port, planned


def freeze(board: SimBoard) -> None:
    """Give the board a custom image with the firmware in it, and bare flash."""
    board.frozen = (firmware_dir() / "frozen", firmware_dir(), umqtt_dir())
    board.factory()


@pytest.fixture
def board(tmp_path: Path) -> SimBoard:
    node = planned(tmp_path, 1, "level", wake_s=300, hold=0)
    made = make_board(tmp_path / "boards", node, Ports(free_port(), free_port()), speed=0)
    made.site = replace(made.site, ap_up=False)
    freeze(made)
    return made


async def test_a_frozen_node_touches_flash_in_an_outage_only_and_loses_nothing(tmp_path: Path) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300, report_every=1, hold=0)
    async with Rig(tmp_path, [node]) as rig:
        board = rig.boards[node.id]
        up = board.site
        freeze(board)
        assert set(board.flash.read_bytes()) == {0xFF}
        untroubled, was_clear = 0, False
        while (
            untroubled < 4
        ):  # what a busy machine keeps waiting for its receipt goes to flash, and leaves it later
            assert board.now_ms < 3_600_000, "the gateway does not answer"
            result = rig.wake(node.id)
            is_clear = result.said("derb done") and not rig.waiting(node.id)
            if was_clear and is_clear:
                assert result.block_writes == 0
                untroubled += 1
            was_clear = is_clear
        board.site = replace(up, ap_up=False)
        for _ in range(8):
            rig.wake(node.id)
        assert set(board.flash.read_bytes()) != {0xFF}, "what had no receipt is on flash"
        board.power_cut()
        board.site = up
        await rig.drain()
        await rig.arrived_upstream(len(rig.ledger.kept()))
        assert rig.gateway.stop() == 0
        assert rig.crashes == []
        assert all(balance.sound for balance in rig.balances()), rig.balances()


def test_a_technician_gets_the_prompt_and_the_files_of_a_frozen_node(board: SimBoard) -> None:
    board.wake()
    board.power_cut()
    assert board.wake(uart_in={0: b"\r"}).end == "exit"
    board.raw_prompt = True
    assert board.wake("soft_reset").end == "exit", "what mpremote does at every command begins no wake"
    board.raw_prompt = False
    assert board.wake("soft_reset").end == "deepsleep", "nobody is there any more"


@pytest.mark.parametrize("slot", [False, True], ids=["as flashed", "updated"])
def test_a_file_system_beyond_mending_is_made_anew_and_the_node_goes_on(board: SimBoard, slot: bool) -> None:
    before = [board.wake() for _ in range(4)]
    if slot:
        write_nvs(board.dir / "nvs", "derb", {"slot": bytes((1, 0, 0, 0, 101, 0, 0, 0))})
    flash = bytearray(board.flash.read_bytes())
    flash[: 2 * 4096] = bytes(2 * 4096)
    board.flash.write_bytes(flash)
    after = [board.wake() for _ in range(14)]
    for result in before + after:
        assert result.end == "deepsleep", result
        assert not result.said("Traceback"), result
    assert any(result.said("derb safe") for result in after[-8:]), "what it measures is on flash again"
