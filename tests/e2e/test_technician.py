"""A technician at a node's cable, with a real broker and a real gateway behind the node."""

import asyncio
import json
from pathlib import Path

from derb_tools.board import SimBoard
from derb_tools.demo.plan import make_board
from tools.desk import SPEED, at_desk

from tests.e2e.rig import Rig, planned


def known_board(rig: Rig, folder: Path) -> SimBoard:
    """A board of the rig's only node, whose gateway knows it."""
    return make_board(folder / "desk", rig.nodes[0], rig.ports, speed=SPEED)


async def test_a_sound_node_passes_its_self_test_and_its_reading_has_its_receipt(tmp_path: Path) -> None:
    node = planned(tmp_path, 1, "parking", log=0, awake_ms=8000)
    async with Rig(tmp_path, [node], known_only=1) as rig:
        with at_desk(known_board(rig, tmp_path), tmp_path) as desk:
            done = await asyncio.to_thread(desk.derb, "selftest", "--json")
            report = json.loads(done.stdout)
            assert done.returncode == 0, report
            assert report["pass"]
            assert {each["check"] for each in report["checks"]} == {
                "settings", "key", "magnetometer", "noise", "field", "battery", "radio", "broker", "receipt", "sleep",
            }  # fmt: skip
            await asyncio.to_thread(desk.wait_for, lambda: desk.ends()[-1:] == ["deepsleep"])
        await rig.arrived_upstream(2)
    assert set(rig.upstream.effects.values()) == {1}
