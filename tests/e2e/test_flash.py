"""From a blank board to one that passes: flashed by the real esptool, then tried at a desk with a real broker and gateway."""

import asyncio
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from derb_tools.board import SimBoard
from derb_tools.board.nvs import write_nvs
from derb_tools.boards import Board, load_board
from derb_tools.demo.plan import BROKER_NAME, make_board
from derb_tools.flash.esp_loader import connected
from derb_tools.thirdparty import image_file
from tools.desk import SPEED, at_desk

from tests.e2e.mock_loader import mock_loader, url
from tests.e2e.rig import Rig, planned
from tests.tools.flash.nvs_reader import read_nvs_partition
from tests.tools.flash.test_board_image import with_umqtt

NAME = "esp32-devkitc-v4"  # its pins are those of the simulated sensors


async def derb(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "derb_tools.cli", *map(str, arguments)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
    )


def street_toml(folder: Path) -> Path:
    path = folder / "street.toml"
    lines = [
        'ssid = "derb"',
        'psk = "derb-street"',
        f'broker = "{BROKER_NAME}"',
        "awake_ms = 8000",
        "batt_pin = -1",
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def in_simulator(board: SimBoard, described: Board, flash: bytes) -> SimBoard:
    """The simulated board with the file system and the NVS of a flash."""
    at, size = described.layout.places()["vfs"]
    board.flash.write_bytes(with_umqtt(flash[at : at + size]))
    at, size = described.layout.places()["nvs"]
    nvs = board.dir / "nvs"
    nvs.write_bytes(b"")
    for namespace, values in read_nvs_partition(flash[at : at + size]).items():
        write_nvs(nvs, namespace, values)
    return board


async def test_a_blank_board_becomes_a_node_that_passes(tmp_path: Path) -> None:
    node = planned(tmp_path, 1, "parking")
    described = load_board(NAME)
    async with Rig(tmp_path, [node], known_only=1) as rig:
        files = ("--registry", tmp_path / "registry.toml", "--settings", street_toml(tmp_path))
        out = tmp_path / "flash.bin"
        built = await derb("flash", NAME, *files, "--image", image_file(), "--node", node.id, "--out", out)
        assert built.returncode == 0, built.stderr
        flash = b"\xff" * 0x1000 + out.read_bytes()
        board = in_simulator(make_board(tmp_path / "desk", node, rig.ports, speed=SPEED), described, flash)
        with at_desk(board, tmp_path) as desk:
            done = await asyncio.to_thread(desk.derb, "selftest", "--json")
            report = json.loads(done.stdout)
        assert report["node"] == node.id
        assert report["pass"], report
        assert "receipt" in {check["check"] for check in report["checks"]}


async def test_the_command_writes_a_blank_board_and_a_second_run_finds_it_done(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text(f'[[node]]\nid = "240ac4e29526"\nkey = "{"01" * 32}"\n')
    street = street_toml(tmp_path)
    street.write_text(street.read_text() + 'kind = "level"\n')
    with mock_loader("esp32", tmp_path) as port:
        command = ("flash", NAME, "--port", url(port), "--image", image_file(), "--no-test", "--json")
        files = ("--registry", tmp_path / "registry.toml", "--settings", street)
        first = await derb(*command, *files)
        assert first.returncode == 0, first.stderr
        report = json.loads(first.stdout)
        assert (report["node"], report["board"], report["pass"]) == ("240ac4e29526", NAME, None)
        assert report["written"]["written"] > 1_700_000
        assert set(report["seconds"]) == {"board", "image", "build", "write", "start"}
        assert "01" * 32 not in first.stdout + first.stderr
        again = json.loads((await derb(*command, *files)).stdout)
        assert again["written"]["written"] == 0
        assert again["written"]["found"] == report["written"]["written"]
        with connected(url(port), "no-reset") as chip:
            blank = chip.md5(0x3FF000, 0x1000)
        assert blank == hashlib.md5(b"\xff" * 0x1000).hexdigest(), (
            "blocks that nobody uses are left as they were"
        )


@pytest.mark.parametrize("name", ["xiao-esp32c3", "olimex-esp32-poe"])
async def test_another_board_than_asked_for_is_left_as_it_is(name: str, tmp_path: Path) -> None:
    with mock_loader("esp32s3", tmp_path) as port:
        done = await derb("flash", name, "--bare", "--port", url(port), "--image", image_file())
    assert done.returncode == 1
    assert f"is an esp32s3, and {name} " in done.stderr
