"""Power cut at every write to flash or NVS of a run that stores and sends 30 readings: nothing lost, nothing doubled."""

import asyncio
import itertools
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from derb_tools.board import Cut, CutMode, Site, WakeResult
from derb_tools.board.nvs import write_nvs
from derb_tools.board.simboard import SimBoard
from derb_tools.demo.plan import PlannedNode

from tests.campaign import chosen, how_much
from tests.e2e.rig import Rig, planned

READINGS = 30
LINK_DOWN_UNTIL = 18  # readings; so that flash is written, grown and emptied again
MOST_CUTS = 900
SAMPLE = 90
MOST_WAKES_AFTER = 40
LANES = 4
CUTS: tuple[CutMode, ...] = ("before", "torn", "after")


@dataclass
class Said:
    """What one board said, over all its lives."""

    kept: dict[tuple[int, int], str] = field(default_factory=dict)
    safe: set[tuple[int, int]] = field(default_factory=set)
    done: set[tuple[int, int]] = field(default_factory=set)
    twice: list[str] = field(default_factory=list)

    def read(self, result: WakeResult) -> None:
        for line in result.log:
            match line.split():
                case ["derb", "kept", boot, sequence, _, payload, _]:
                    identity = int(boot), int(sequence)
                    if identity in self.kept:
                        self.twice.append(line)
                    self.kept[identity] = payload
                case ["derb", "safe", boot, sequence]:
                    self.safe.add((int(boot), int(sequence)))
                case ["derb", "done", boot, sequence]:
                    self.done.add((int(boot), int(sequence)))

    def copy(self) -> "Said":
        return Said(dict(self.kept), set(self.safe), set(self.done))


@dataclass(frozen=True)
class Moment:
    """The board as it was just before a wake of the uncut run."""

    folder: Path
    said: Said
    site: Site
    writes: int


@dataclass(frozen=True)
class Case:
    """One cut, and what must and may have come of it."""

    node: PlannedNode
    name: str
    must: set[tuple[int, int]]
    may: set[tuple[int, int]]
    problem: str = ""
    reached: bool = (
        True  # a wake with less to write than in the uncut run ends before its cut, and must be sound
    )


def _uncut_run(folder: Path, board: SimBoard, up: Site) -> list[Moment]:
    """Run until 50 readings are kept and have their receipts; return a moment for each wake."""
    moments: list[Moment] = []
    said = Said()
    down = replace(up, ap_up=False)
    while len(said.kept) < READINGS or said.kept.keys() - said.done:
        board.site = down if 2 <= len(said.kept) < LINK_DOWN_UNTIL else up
        place = folder / f"moment-{len(moments):03d}"
        shutil.copytree(board.dir, place)
        before = said.copy()
        result = board.wake()
        assert result.end == "deepsleep", result
        said.read(result)
        moments.append(Moment(place, before, board.site, result.block_writes))
        assert len(moments) < 4 * READINGS, "the run does not end"
    return moments


def _cut_and_go_on(
    make: Callable[[], SimBoard], node: PlannedNode, moment: Moment, at_write: int, mode: CutMode, up: Site
) -> Case:
    board = make()
    shutil.copytree(moment.folder, board.dir, dirs_exist_ok=True)
    write_nvs(board.dir / "nvs", "derb", {"key": node.key})
    board = make()  # reads the state that was just put there
    board.site = moment.site
    said = moment.said.copy()
    cut = board.wake(cut=Cut(at_write, mode))
    said.read(cut)
    name = f"{moment.folder.name} write {at_write} of {moment.writes}, {mode}"
    if cut.end not in ("power_cut", "deepsleep"):
        return Case(node, name, set(), set(), f"at the cut: {cut}")
    # What slept only in RTC memory is what the contract excepts; with `hold` = 0 nothing does when a wake has ended.
    must = (moment.said.kept.keys() | (said.safe & said.kept.keys()) | said.done) - moment.said.done
    board.site = up
    for _ in range(MOST_WAKES_AFTER):
        result = board.wake()
        if result.end != "deepsleep" or result.said("Traceback"):
            return Case(node, name, must, set(), f"after the cut: {result}")
        said.read(result)
        must |= said.kept.keys() - moment.said.kept.keys() - _kept_in(cut)
        since = said.kept.keys() - moment.said.kept.keys() - _kept_in(cut)
        # A receipt that was taken at the moment of the cut was never said: what was kept before is judged by what arrived.
        if len(since) >= 2 and not since - said.done and (not must - said.done or len(since) > 12):
            break
    else:
        return Case(
            node, name, set(must), _kept_in(cut), f"never got receipts for {sorted(since - said.done)}"
        )
    problem = f"a number used twice: {said.twice}" if said.twice else ""
    return Case(node, name, set(must), _kept_in(cut), problem, reached=cut.end == "power_cut")


def _kept_in(result: WakeResult) -> set[tuple[int, int]]:
    said = Said()
    said.read(result)
    return set(said.kept)


def _verdicts(cases: list[Case], counts: Counter[str]) -> list[str]:
    wrong = [f"{case.name}: {case.problem}" for case in cases if case.problem]
    arrived: dict[str, set[tuple[int, int]]] = {}
    for key in counts:
        node, boot, sequence = key.split(":")
        arrived.setdefault(node, set()).add((int(boot), int(sequence)))
    for case in cases:
        there = arrived.get(case.node.id, set())
        if case.must - there:
            wrong.append(f"{case.name}: lost {sorted(case.must - there)}")
        if there - case.must - case.may:
            wrong.append(f"{case.name}: from nowhere {sorted(there - case.must - case.may)}")
    wrong += [f"{key} is there {times} times" for key, times in counts.items() if times > 1]
    return wrong


@pytest.mark.timeout(900)
async def test_a_cut_at_every_write_loses_and_doubles_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = planned(
        tmp_path, 0, "level", report_every=5, hold=0, wake_s=600, backoff_max_s=3600, awake_ms=10000
    )
    nodes = [
        replace(first, node_id=bytes.fromhex(f"240ac5{i:06x}"), place=f"cut-{i:04d}")
        for i in range(MOST_CUTS)
    ]
    async with Rig(tmp_path, [first, *nodes], known_only=MOST_CUTS) as rig:
        board = rig.boards[first.id]
        up = board.site
        moments = await asyncio.to_thread(_uncut_run, tmp_path, board, up)
        cuts = [
            (moment, at_write, mode)
            for moment in moments
            for at_write, mode in itertools.product(range(1, moment.writes + 1), CUTS)
        ]
        assert 100 < len(cuts) <= MOST_CUTS, len(cuts)
        tried = chosen(cuts, SAMPLE, "power cuts")

        def one(number: int) -> Case:
            node = nodes[number]

            def make() -> SimBoard:
                place = tmp_path / "cuts" / node.id
                return SimBoard(
                    place, board.firmware, node_id=node.node_id, config=board.config, key=first.key,
                    sensors=board.sensors, site=up,
                )  # fmt: skip

            case = _cut_and_go_on(make, node, *tried[number], up)
            shutil.rmtree(tmp_path / "cuts" / node.id)
            return case

        began = time.monotonic()
        with ThreadPoolExecutor(LANES) as lanes:
            cases = list(
                await asyncio.gather(
                    *(asyncio.get_running_loop().run_in_executor(lanes, one, i) for i in range(len(tried)))
                )
            )
        await asyncio.sleep(1)
        assert rig.gateway.stop() == 0
        counts = rig.file_counts()
    wrong = _verdicts(cases, counts)
    reached = sum(case.reached for case in cases)
    with capsys.disabled():
        print(
            f"\n  {READINGS} readings, {len(moments)} wakes, {sum(moment.writes for moment in moments)} writes;"
            f" tried {how_much(len(tried), len(cuts))}, cut at {reached} in {time.monotonic() - began:.0f} s: {len(wrong)} wrong"
        )
    assert reached >= 0.9 * len(tried), "too few wakes came to their cut"
    assert not wrong, "\n".join(wrong[:20])
