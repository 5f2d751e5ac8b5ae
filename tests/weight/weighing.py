"""Weighs the node's modules and whole wakes of it in the 32-bit MicroPython, which has 31-bit small ints as the ESP32 has.

The firmware is compiled as for a release and imported from `.mpy`, as from the file system of a stock image. In a custom image
its bytecode and its names are frozen and take no RAM: what is weighed here is the worse of the two. `umqtt.simple`, frozen in
every official image, and the stand-ins for the chip are loaded before and not counted.

MicroPython keeps every name for good, in tables of which each has room for twice as many as the one before. Here the stand-ins'
names are in them too. So of the tables the node bears what its own names alone would have taken.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from derb_tools.bytecode import compiled
from derb_tools.firmware_files import firmware_dir
from derb_tools.release_build import application
from derb_tools.thirdparty import umqtt_dir

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "firmware"))

from runner.interpreters import WASM32_MODULE, InterpreterMissing, node  # noqa: E402

STAGES = ("load", "sense", "queue", "report", "trip", "settle", "rest")
_SETTINGS = {
    "ssid": "street",
    "psk": "a long enough secret",
    "broker": "10.0.0.1",
    "batt_pin": 34,
    "report_every": 1,
    "health_every_s": 60,  # so that every wake has something to send
}
CONFIGS: dict[str, Mapping[str, object]] = {
    "parking": {**_SETTINGS, "kind": "parking"},
    "level": {**_SETTINGS, "kind": "level"},
}
ESPNOW: Mapping[str, object] = {**CONFIGS["parking"], "link": "espnow"}
_OF_AN_UPDATE = "import slots; from derb import chunks, download, fetch, lms, update"
_FOLDERS = {
    "/stand-ins": ROOT / "tests" / "weight",
    "/fakes": ROOT / "tests" / "firmware",
    "/life": ROOT / "tests" / "life",
}
_STAND_INS = ("board.py", "fakes_nvs.py", "fake_chip.py", "simple.py", "__init__.py")
_PATH = ["/mpy", *_FOLDERS, "/umqtt"]
_HEAP_STEP = 256
_LONGEST_S = 60.0
_NAME_BYTES = 7  # address, hash and length on a 32-bit board
_TABLES = re.compile(r"qstr pool: .*n_qstr=(\d+), n_str_data_bytes=(\d+), n_total_bytes=(\d+)")


@dataclass(frozen=True)
class Step:
    """Heap in bytes at one step of a wake, above what was there before the first module of the node."""

    name: str
    resident: int  # after a collection, all modules of the step still there
    uncollected: int  # at its end, when nothing was collected since its beginning


@dataclass(frozen=True)
class _Found:
    """Bytes of all heap after a step; `tables` are those of the names."""

    name: str
    used: int
    left: int
    names: int
    tables: int
    took_us: int


class WeighingFailed(Exception):
    """The board side said something else; the text is what."""


@contextmanager
def mpy_folder() -> Iterator[Path]:
    """A folder with the application compiled as a release has it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in application(firmware_dir()):
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        # No part of a release; only updates need it.
        shutil.copy(firmware_dir() / "slots.py", folder)
        yield Path(folder)


def weigh_modules(mpy: Path, names: Sequence[str]) -> list[tuple[Step, int]]:
    """Each module and the microseconds of its import, in this order and kept, above those before it."""
    steps = [("before", _code(CONFIGS["parking"], "")), *((each, f"import {each}") for each in names)]
    found = _run(mpy, steps)
    weights = [_above(each, found) for each in found]
    return [
        (
            Step(after.name, after.resident - before.resident, after.uncollected - before.resident),
            each.took_us,
        )
        for (before, after), each in zip(pairwise(weights), found[1:], strict=True)
    ]


def weigh_wake(mpy: Path, config: Mapping[str, object], record: str) -> list[Step]:
    """Each stage of a wake; `record` is RTC memory as hex, "" after a loss of power."""
    return [weigh_stage(mpy, config, record, stage) for stage in STAGES]


def weigh_stage(mpy: Path, config: Mapping[str, object], record: str, stage: str) -> Step:
    """One stage, after those before it have gone."""
    before = STAGES[: STAGES.index(stage)]
    found = _run(mpy, [*_until(config, record, before), (stage, f"board.hold({stage!r})")])
    return _above(found[-1], found)


def weigh_update(mpy: Path, config: Mapping[str, object]) -> Step:
    """A connection that fetches an update, whose modules come on top of the others'."""
    before = STAGES[: STAGES.index("trip")]
    steps = [*_until(config, "", before), ("trip", "board.hold('trip')"), ("update", _OF_AN_UPDATE)]
    found = _run(mpy, steps)
    return _above(found[-1], found)


def _above(found: _Found, all_found: Sequence[_Found]) -> Step:
    first = all_found[0]
    names = table_bytes(found.names - first.names) - (found.tables - first.tables)
    return Step(found.name, found.left - first.left + names, found.used - first.left + names)


def table_bytes(names: int) -> int:
    """Heap that MicroPython's tables of so many names take, letters not counted."""
    room, size, taken = 0, 10, 0
    while room < names:
        size *= 2
        room += size
        taken += size * _NAME_BYTES
    return taken


def record_after(mpy: Path, config: Mapping[str, object]) -> str:
    """RTC memory as a first wake leaves it that got its receipt."""
    steps = [*_until(config, "", STAGES), ("told", "board.tell()")]
    told = [line for line in _output(mpy, steps) if line.startswith("record ")]
    if not told:
        raise WeighingFailed("the first wake got no receipt")
    return told[0].split()[1]


@contextmanager
def compiled_stand_ins() -> Iterator[Mapping[str, Path]]:
    """The folders of the stand-ins compiled, for a node that needs less heap than compiling them does."""
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        for number, (target, source) in enumerate({**_FOLDERS, "/umqtt": umqtt_dir()}.items()):
            made[target] = Path(folder) / str(number)
            for name, content in compiled(
                source, [each for each in source.rglob("*.py") if each.name in _STAND_INS]
            ):
                place = made[target] / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
        yield made


def weigh_all_at_once(program: Sequence[str], names: Sequence[str], stand_ins: Mapping[str, Path]) -> int:
    """Heap in bytes of frozen modules, imported all at once."""
    code = (
        f"{_code(CONFIGS['parking'], '')}; import gc; gc.collect(); before = gc.mem_alloc(); "
        f"all(__import__(name) for name in {list(names)!r}); gc.collect(); print('all', gc.mem_alloc() - before)"
    )
    done = subprocess.run(
        [*program, "-c", f"{_mounted(stand_ins)}; {code}"], capture_output=True, text=True, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith("all "):
            return int(line.split()[1])
    raise WeighingFailed(done.stdout + done.stderr)


def _mounted(folders: Mapping[str, Path]) -> str:
    mounts = [f"vfs.mount(vfs.VfsPosix({str(source)!r}), {target!r})" for target, source in folders.items()]
    return f"import vfs; {'; '.join(mounts)}"


def smallest_heap(
    program: Sequence[str],
    mpy: Path,
    config: Mapping[str, object],
    record: str,
    stand_in_folders: Mapping[str, Path] | None = None,
) -> int:
    """The least heap in bytes in which a MicroPython of the unix port runs a whole wake that gets its receipts."""
    enough = 512 * 1024
    stand_ins = _whole_wake(program, mpy, config, record, enough, stand_in_folders)
    if stand_ins is None:
        raise WeighingFailed(f"{program[0]} does not run a wake at all")
    too_little = stand_ins
    while enough - too_little > _HEAP_STEP:
        tried = (enough + too_little) // 2
        if _whole_wake(program, mpy, config, record, tried, stand_in_folders) is None:
            too_little = tried
        else:
            enough = tried
    return enough - stand_ins


def runs_in(
    program: Sequence[str], mpy: Path, config: Mapping[str, object], record: str, heap_bytes: int
) -> bool:
    """Whether a whole wake gets its receipts in so much heap, the stand-ins' not counted."""
    stand_ins = _whole_wake(program, mpy, config, record, 1024 * 1024)
    return (
        stand_ins is not None
        and _whole_wake(program, mpy, config, record, stand_ins + heap_bytes) is not None
    )


def _code(config: Mapping[str, object], record: str) -> str:
    return (
        f"import sys; sys.path[:0] = {_PATH}; import board; board.set_up({json.dumps(config)!r}, {record!r})"
    )


def _until(config: Mapping[str, object], record: str, stages: Sequence[str]) -> list[tuple[str, str]]:
    run = [(each, f"board.step({each!r})") for each in stages]
    return [("before", _code(config, record)), ("begin", "board.begin()"), *run]


def _run(mpy: Path, steps: Sequence[tuple[str, str]]) -> list[_Found]:
    found, names, tables = [], 0, 0
    for line in _output(mpy, steps):
        if match := _TABLES.match(line):
            names, tables = int(match[1]), int(match[3]) - int(match[2])
        elif line.startswith("{"):
            weight = json.loads(line)
            found.append(_Found(weight["name"], weight["used"], weight["left"], names, tables, weight["us"]))
    return found


def _output(mpy: Path, steps: Sequence[tuple[str, str]]) -> list[str]:
    if not WASM32_MODULE.is_file():
        raise InterpreterMissing("the 32-bit MicroPython is not set up: run `make test` once")
    folders = {"/mpy": mpy, **_FOLDERS, "/umqtt": umqtt_dir()}
    command = [node(), str(ROOT / "tests" / "weight" / "weigh.mjs"), str(WASM32_MODULE), json.dumps(steps)]
    command += [f"{source}={target}" for target, source in folders.items()]
    try:
        done = _run_node(command)
    except subprocess.TimeoutExpired:
        print(f"weighing: Node did not end in {_LONGEST_S:g} s; asked once more", file=sys.stderr)
        done = _run_node(command)
    if done.returncode or "Traceback" in done.stdout:
        raise WeighingFailed(f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout.splitlines()


def _run_node(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    # Now and then Node has said all and never ends: its threads wait for one another.
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LONGEST_S)


def _whole_wake(
    program: Sequence[str],
    mpy: Path,
    config: Mapping[str, object],
    record: str,
    heap_bytes: int,
    stand_in_folders: Mapping[str, Path] | None = None,
) -> int | None:
    """Heap of the stand-ins in bytes, tables of names not counted; None if the wake did not end with its receipts."""
    with tempfile.TemporaryDirectory() as root, tempfile.TemporaryDirectory() as beside:
        folders = {"/mpy": mpy, **(stand_in_folders or {**_FOLDERS, "/umqtt": umqtt_dir()})}
        # Names of paths are on the heap as well, and whether a block fits between others must not hang on where the project lies.
        links = {target: Path(beside) / target[1:] for target in folders}
        for target, link in links.items():
            link.symlink_to(folders[target], target_is_directory=True)
        # The outbox is at the top of the file system.
        top = f"import vfs; vfs.umount('/'); vfs.mount(vfs.VfsPosix({root!r}), '/')"
        code = f"{top}; {_mounted(links)}; {_code(config, record)}; board.whole_wake()"
        command = [*program, "-X", f"heapsize={heap_bytes}", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not said or not said[0]["frames"] or "Traceback" in done.stdout + done.stderr:
        return None
    tables = next(match for line in done.stdout.splitlines() if (match := _TABLES.match(line)))
    return int(said[0]["stand_ins"]) - (int(tables[3]) - int(tables[2]))
