"""What was just flashed is tried: a node by its self-test, a relay by what it says of itself."""

from pathlib import Path

import pytest
from derb_tools.board.air import Air
from derb_tools.board.relay import RelayBoard
from derb_tools.firmware_files import firmware_dir
from derb_tools.flash import trial
from derb_tools.flash.file_system import board_files, littlefs_bytes
from tools.desk import at_desk, bay_board


def test_a_node_tests_itself_and_each_failure_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_desk(bay_board(tmp_path), tmp_path) as desk:
        monkeypatch.setattr(trial, "tell", desk.tell)
        passed, checks = trial.try_it(desk.port, "node")
    by_name = {str(check["check"]): check for check in checks}
    assert by_name["magnetometer"]["pass"]
    assert not passed, "no gateway is near"
    assert all(check["do"] for check in checks if not check["pass"])


def test_a_relay_with_the_built_file_system_says_that_it_is_there(tmp_path: Path) -> None:
    files = littlefs_bytes(board_files("relay", firmware_dir(), "esp32"), 0x200000)
    with Air() as air:
        relay = RelayBoard(tmp_path, bytes.fromhex("240ac4e29526"), air.port)
        relay._board.flash.write_bytes(files)
        with relay:
            passed, checks = trial.try_it(str(relay.port), "relay")
    assert passed, checks
