"""A technician at a node's cable, with a real broker and a real gateway behind the node."""

import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from derb_tools.board import SimBoard
from derb_tools.demo.plan import make_board
from derb_tools.thirdparty import umqtt_dir
from tools.desk import SPEED, at_desk

from tests.e2e.rig import Rig, planned


def known_board(rig: Rig, folder: Path) -> SimBoard:
    """A board of the rig's only node, whose gateway knows it."""
    return make_board(folder / "desk", rig.nodes[0], rig.ports, speed=SPEED)


async def test_what_a_dead_node_held_reaches_the_platform_once_even_if_it_comes_to_life_again(
    tmp_path: Path,
) -> None:
    node = planned(tmp_path, 1, "level", hold=0, wake_s=60, backoff_max_s=60)
    async with Rig(tmp_path, [node], known_only=1) as rig:
        board = rig.boards[node.id] = known_board(rig, tmp_path)
        board.site, site = replace(board.site, ap_up=False), board.site
        board.speed = 0
        for _ in range(12):
            await asyncio.to_thread(rig.wake, node.id)
        board.speed = SPEED
        held = rig.waiting(node.id)
        board.power_cut()
        said = bytearray()
        with at_desk(board, tmp_path) as desk:
            to_laptop = desk.cable.to_laptop
            desk.cable.to_laptop = lambda sent: said.extend(sent) or to_laptop(sent)
            done = await asyncio.to_thread(desk.derb, "pull", "--json", "--out", tmp_path / "node.json")
            assert json.loads(done.stdout)["readings"] == held >= 5
            desk.wait_for(lambda: desk.ends()[-1:] == ["deepsleep"])
        # Sent back to work it has measured once more before it was unplugged.
        rig.ledger.read(node.id, said.decode(errors="replace").splitlines(), 0)
        command = [sys.executable, "-m", "derb_gateway", "take", str(tmp_path / "node.json")]
        for _ in range(2):
            taken = await asyncio.to_thread(
                subprocess.run, [*command, "--config", str(rig.config)], capture_output=True, text=True
            )
            assert json.loads(taken.stdout)["taken"], taken.stderr
        await rig.arrived_upstream(held)
        board.console = board.starter = None
        board.site, board.speed = site, 0
        await rig.drain()
        await rig.arrived_upstream(len(list(rig.ledger.kept())))
        over_broker, in_files = rig.balances()
    assert over_broker.sound, over_broker
    assert in_files.sound, in_files


BAY = """
[[bay]]
id = "maarif-001"
zone = "maarif"
lat = 33.5866
lon = -7.6324
"""
FIRST_MINUTES = (
    "derb provision --place maarif --gateway here --config gateway.toml --label label.png",
    "derb selftest",
)


async def test_a_flashed_node_is_provisioned_labelled_and_passes_as_the_readme_shows(tmp_path: Path) -> None:
    other, new = planned(tmp_path, 1, "parking"), planned(tmp_path, 2, "parking", log=0, awake_ms=8000)
    rig = Rig(tmp_path, [other], known_only=1)
    with (tmp_path / "registry.toml").open("a") as registry:
        registry.write(BAY)
    async with rig:
        board = make_board(tmp_path / "desk", new, rig.ports, speed=SPEED)
        board.key = b""
        board.factory([umqtt_dir()])
        begun_s, recording = time.monotonic(), ""
        with at_desk(board, tmp_path) as desk:
            for command in FIRST_MINUTES:
                done = await asyncio.to_thread(desk.derb, *command.split()[1:], folder=tmp_path)
                assert done.returncode == 0, done
                recording += f"$ {command}\n{done.stderr}{done.stdout}"
        await rig.arrived_upstream(2)
    assert set(rig.upstream.effects.values()) == {1}, "its first readings reached the platform, once"
    keys = sum(len(command) + 1 for command in FIRST_MINUTES)
    print(recording, f"{keys} keystrokes, {time.monotonic() - begun_s:.0f} s", sep="\n")
    assert (tmp_path / "label.png").exists()
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert _without_figures(recording) in _without_figures(re.sub(r"^    ", "", readme, flags=re.MULTILINE))
    assert f"{keys} keystrokes" in readme


def _without_figures(text: str) -> str:
    """Measured numbers differ from run to run; what is said, and in which order, does not."""
    return re.sub(r"[-+]?\d+(?:\.\d+)?", "#", text)
