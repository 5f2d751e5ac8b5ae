"""Power lost, and a reset that RTC memory outlives, at every phase of a wake: nothing is lost or doubled, the phase is told."""

import asyncio
import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.board import SimBoard, WakeResult
from derb_tools.board.nvs import write_nvs
from derb_tools.firmware_files import firmware_dir
from derb_tools.thirdparty import umqtt_dir

from tests.e2e.rig import Rig, planned

# In the order of a wake. TLS is another rig's, and a name is asked for only where no address is remembered.
PHASES = {
    1: "load",
    2: "battery",
    3: "sense",
    4: "keep",
    5: "radio",
    6: "name",
    7: "connect",
    9: "exchange",
    10: "orders",
    11: "settle",
    12: "sleep",
}
NAME = 6
WAYS = ("power", "reset")
WAKES_AFTER = 6

# A board on which a phase can be deadly: what the note says of it is in RTC memory by then.
DEADLY = """

_entered = Crumbs.enter


def _enter(self, phase):
    _entered(self, phase)
    import esp32
    import machine

    try:
        deadly = esp32.NVS("derb").get_i32("deadly")
    except OSError:
        return
    if deadly == phase:
        machine.reset()
    if deadly == -phase:
        print("derb dies")
        while True:
            pass


Crumbs.enter = _enter
"""


def _firmware(folder: Path) -> Path:
    firmware = folder / "firmware"
    shutil.copytree(firmware_dir(), firmware, ignore=shutil.ignore_patterns("__pycache__"))
    with (firmware / "derb" / "crumbs.py").open("a") as source:
        source.write(DEADLY)
    return firmware


def _die(board: SimBoard, phase: int, way: str) -> WakeResult:
    def cut(line: str) -> None:
        if line == "derb dies":
            board.cut_now()

    write_nvs(board.dir / "nvs", "derb", {"deadly": phase if way == "reset" else -phase})
    result = board.wake(on_line=cut)
    write_nvs(board.dir / "nvs", "derb", {"deadly": 0})
    return result


def _identities(result: WakeResult, *words: str) -> set[tuple[str, str]]:
    lines = [line.split() for line in result.log]
    return {(line[2], line[3]) for line in lines if line[:1] == ["derb"] and line[1] in words}


async def test_no_phase_of_a_wake_is_deadly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = list(itertools.product(PHASES, WAYS))
    nodes = [
        planned(tmp_path, number, "level", report_every=1, wake_s=600, lease_s=0 if phase == NAME else 21600)
        for number, (phase, _) in enumerate(cases)
    ]
    firmware = _firmware(tmp_path)
    must: dict[str, set[tuple[str, str]]] = {}
    may: dict[str, set[tuple[str, str]]] = {}
    wrong: list[str] = []
    async with Rig(tmp_path, nodes) as rig:

        def one(node: str) -> None:
            phase, way = cases[[each.id for each in nodes].index(node)]
            board = rig.boards[node]
            board.firmware = firmware
            board.factory([umqtt_dir()])
            results = [board.wake()]
            if phase == NAME:
                # A failure forgets the broker's address.
                board.site, up = replace(board.site, ap_up=False), board.site
                results.append(board.wake())
                board.site = up
            died = _die(board, phase, way)
            if died.end != ("reset" if way == "reset" else "power_cut"):
                wrong.append(f"{PHASES[phase]}, {way}: {died}")
            after = [board.wake() for _ in range(WAKES_AFTER)]
            if way == "reset" and not after[0].said(f"derb rest {phase} 1 "):
                wrong.append(f"{PHASES[phase]}, {way}: the next wake does not tell: {after[0]}")
            for result in after:
                if result.end != "deepsleep" or result.said("Traceback"):
                    wrong.append(f"{PHASES[phase]}, {way}: {result}")
            kept = set().union(*(_identities(each, "kept") for each in (*results, died, *after)))
            # What slept only in RTC memory is what the contract excepts when power is lost.
            may[node] = (
                _identities(died, "kept") - _identities(died, "safe", "done") if way == "power" else set()
            )
            must[node] = kept - may[node]

        await rig.each(one)
        await asyncio.sleep(0.5)
        assert rig.gateway.stop() == 0
        counts = rig.file_counts()
    wrong += [f"{key} is there {times} times" for key, times in counts.items() if times > 1]
    arrived: dict[str, set[tuple[str, str]]] = {node.id: set() for node in nodes}
    for key in counts:
        node, boot, sequence = key.split(":")
        arrived[node].add((boot, sequence))
    for node, (phase, way) in zip(nodes, cases, strict=True):
        lost = must[node.id] - arrived[node.id]
        alien = arrived[node.id] - must[node.id] - may[node.id]
        if lost or alien:
            wrong.append(f"{PHASES[phase]}, {way}: lost {sorted(lost)}, from nowhere {sorted(alien)}")
    with capsys.disabled():
        print(
            f"\n  died {len(cases)} times, at {len(PHASES)} phases by power and by reset: {sum(counts.values())} readings"
            f" upstream, {len(wrong)} wrong"
        )
    assert sum(map(len, must.values())) > 4 * len(cases)
    assert not wrong, "\n".join(wrong[:10])
