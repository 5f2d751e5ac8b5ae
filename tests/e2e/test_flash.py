"""From a blank board to one that passes: flashed by the real esptool, then tried at a desk with a real broker and gateway."""

import asyncio
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest
from derb_gateway.pulled_file import judge, read_pulled
from derb_gateway.registry import load_registry
from derb_tools.board import SimBoard
from derb_tools.board.nvs import write_nvs
from derb_tools.boards import Board, load_board
from derb_tools.demo.plan import BROKER_NAME, make_board
from derb_tools.firmware_files import firmware_dir
from derb_tools.flash.board_image import board_image
from derb_tools.flash.esp_loader import connected
from derb_tools.flash.file_system import board_files
from derb_tools.flash.flashing import Wish, image_without_board
from derb_tools.flash.image_store import default_store
from derb_tools.flash.node_file import read_node_file
from derb_tools.flash.writing import write_image
from derb_tools.thirdparty import image_file
from tools.desk import SPEED, Desk, at_desk

from tests.e2e.mock_loader import loader_at, mock_loader, url
from tests.e2e.rig import Rig, planned
from tests.tools.flash.images import micropython_for
from tests.tools.flash.nvs_reader import read_nvs_partition
from tests.tools.flash.test_board_image import with_umqtt

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
MOCK_NODE = "240ac4e29526"  # the factory id that the mock gives an ESP32
NAME = "esp32-devkitc-v4"  # its pins are those of the simulated sensors


async def derb(*arguments: str | Path, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "derb_tools.cli", *map(str, arguments)]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False, cwd=folder
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


class OneCommand:
    """`derb flash` at a port where a loader is until the board was started, and then the board itself."""

    def __init__(self, cache: Path, *arguments: str | Path) -> None:
        (cache / "images").mkdir(parents=True)
        (cache / "images" / image_file().name).symlink_to(image_file())
        command = [sys.executable, "-m", "derb_tools.cli", "flash", *map(str, arguments)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, "DERB_CACHE": str(cache)}
        )
        self.said: list[str] = []

    def __enter__(self) -> "OneCommand":
        self.process.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.__exit__(None, None, None)

    def until(self, word: str) -> None:
        """Read what it says up to the line that begins with `word`."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(word):
                return

    def to_its_end(self, desk: Desk) -> int:
        """Do what it says to the technician, until it is over; the exit code."""
        assert self.process.stderr
        listener = threading.Thread(target=lambda: [desk.tell(line) for line in self.process.stderr or ()])
        listener.start()
        desk.plugged.press_reset()
        self.until("nothing begins so")
        code = self.process.wait(60)
        listener.join()
        return code


async def test_one_command_makes_a_blank_board_a_node_that_passes(tmp_path: Path) -> None:
    node = planned(tmp_path, int(MOCK_NODE[6:], 16), "parking")
    assert node.id == MOCK_NODE
    described, port = load_board(NAME), tmp_path / "port"
    async with Rig(tmp_path, [node], known_only=1) as rig:
        registry, street = tmp_path / "registry.toml", street_toml(tmp_path)
        wish = Wish((NAME, described), image_file(), read_node_file(street), load_registry(registry))
        image = image_without_board(NAME, described, node.id, wish, default_store())
        board = in_simulator(
            make_board(tmp_path / "desk", node, rig.ports, speed=SPEED), described, image.whole
        )
        with loader_at(port, "esp32", tmp_path) as take_away:
            files = ("--registry", registry, "--settings", street, "--port", port)
            with OneCommand(tmp_path / "cache", NAME, *files) as command:
                await asyncio.to_thread(command.until, "start")
                take_away()
                with at_desk(board, tmp_path) as desk:
                    code = await asyncio.to_thread(command.to_its_end, desk)
    said = "".join(command.said)
    print(said)
    assert code == 0, said
    told = re.search(r"(\d+) kB written, (\d+) kB were there; all of it verified", said)
    assert told, said
    # What a slow line had to be sent again was there by then.
    assert int(told[1]) + int(told[2]) == image.size >> 10
    assert said.endswith(f"{node.id}: flashed, pass\n")
    assert [line.split()[0] for line in command.said[:-1]] == steps_of(README)


def steps_of(text: str) -> list[str]:
    """The steps in the recording of the README."""
    recording = text.partition("    $ derb flash")[2].partition("\n\n")[0].splitlines()[1:-1]
    return [line.split()[0] for line in recording]


async def test_the_command_writes_a_blank_board_and_a_second_run_finds_it_done(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text(f'[[node]]\nid = "240ac4e29526"\nkey = "{"01" * 32}"\n')
    street = street_toml(tmp_path)
    street.write_text(street.read_text() + 'kind = "level"\n')
    port = tmp_path / "port"
    with loader_at(port, "esp32", tmp_path):
        command = ("flash", NAME, "--port", port, "--image", image_file(), "--no-test", "--json")
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
        assert again["written"]["found"] == report["written"]["written"] + report["written"]["found"]
        with connected(str(port)) as chip:
            blank = chip.md5(0x3FF000, 0x1000)
        assert blank == hashlib.md5(b"\xff" * 0x1000).hexdigest(), (
            "blocks that nobody uses are left as they were"
        )


def kept_on_flash(sequence: int) -> bytes:
    """A parking reading as a node keeps it on flash (firmware/derb/segments.py): boot 3, made at a Unix time."""
    record = struct.pack("<BBBIIIB", 0xD5, 2, 1, 3, sequence, 1_764_000_000 + sequence, 1) + bytes([0x7F, 12])
    return record + struct.pack("<I", zlib.crc32(record))


async def test_what_a_node_holds_is_pulled_without_its_program_and_before_it_is_flashed_anew(
    tmp_path: Path,
) -> None:
    described, key = load_board(NAME), "01" * 32
    (tmp_path / "registry.toml").write_text(f'[[node]]\nid = "{MOCK_NODE}"\nkey = "{key}"\n')
    files = board_files("node", firmware_dir(), "esp32")
    files |= {"main.py": b"import nothing", "outbox/s00": b"".join(map(kept_on_flash, range(9)))}
    dead = board_image(described, micropython_for("esp32"), files, {"derb": {"key": bytes.fromhex(key)}})
    street = street_toml(tmp_path)
    street.write_text(street.read_text() + 'kind = "level"\n')
    with loader_at(tmp_path / "port", "esp32", tmp_path):
        port = ("--port", tmp_path / "port")
        write_image(dead, lambda: connected(str(tmp_path / "port")))
        pulled = await derb("pull", "--from-flash", "--out", tmp_path / "pulled.json", *port)
        assert pulled.returncode == 0, pulled.stderr
        assert f"node {MOCK_NODE}: 9 readings in 1 frames" in pulled.stdout
        options = (
            "--registry",
            tmp_path / "registry.toml",
            "--settings",
            street,
            "--no-test",
            "--json",
            *port,
        )
        flashed = await derb("flash", NAME, "--image", image_file(), *options, folder=tmp_path)
        assert flashed.returncode == 0, flashed.stderr
        saved = json.loads(flashed.stdout)["pulled"]
        assert f"derb gateway take {saved}" in flashed.stderr
        again = await derb("pull", "--from-flash", *port, folder=tmp_path)
    assert "0 readings in 0 frames" in again.stdout
    registry = load_registry(tmp_path / "registry.toml")
    for path in (tmp_path / "pulled.json", tmp_path / saved):
        assert judge(read_pulled(path), registry) == (9, [])
        assert key not in path.read_text()


@pytest.mark.parametrize("name", ["xiao-esp32c3", "olimex-esp32-poe"])
async def test_another_board_than_asked_for_is_left_as_it_is(name: str, tmp_path: Path) -> None:
    with mock_loader("esp32s3", tmp_path) as port:
        done = await derb("flash", name, "--bare", "--port", url(port), "--image", image_file())
    assert done.returncode == 1
    assert f"is an esp32s3, and {name} " in done.stderr
