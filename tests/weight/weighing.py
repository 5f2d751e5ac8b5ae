"""Weighs the node's modules and a whole wake of it in the 32-bit MicroPython, which has 31-bit small ints as the ESP32 has.

The firmware is compiled by mpy-cross and imported from `.mpy`, as from the file system of a stock image. In a custom image the
bytecode is frozen and takes no RAM, nor do the names in it: what is weighed here is the worse of the two.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from derb_tools.firmware_files import firmware_dir
from derb_tools.release_build import compiled
from derb_tools.thirdparty import umqtt_dir

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "firmware"))

from runner.interpreters import WASM32_MODULE, InterpreterMissing, node  # noqa: E402

STAGES = ("load", "sense", "queue", "report", "trip", "settle", "rest")
CONFIG = {
    "ssid": "street",
    "psk": "a long enough secret",
    "broker": "10.0.0.1",
    "batt_pin": 34,
    "report_every": 1,
    "health_every_s": 60,  # so that every wake has something to send
    "log": 0,
}
SETUP = "import sys; sys.path[:0] = ['/mpy', '/stand-ins', '/fakes', '/life', '/umqtt']; import board"


@dataclass(frozen=True)
class Step:
    """Heap of one step in bytes, above what was there before the first module of the node."""

    name: str
    peak: int  # at its end, nothing collected since its beginning
    resident: int  # after a collection, its modules still there


class WeighingFailed(Exception):
    """The board side said something else; the text is what."""


@contextmanager
def mpy_folder() -> Iterator[Path]:
    """A folder with the application compiled as a release has it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in compiled(firmware_dir()):
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        yield Path(folder)


def run(mpy: Path, steps: Sequence[tuple[str, str]]) -> list[tuple[str, int, int]]:
    """(name, bytes at the end, bytes left) of each step; what Python prints besides is an error."""
    if not WASM32_MODULE.is_file():
        raise InterpreterMissing("the 32-bit MicroPython is not set up: run `make test` once")
    folders = {
        mpy: "/mpy",
        ROOT / "tests" / "weight": "/stand-ins",
        ROOT / "tests" / "firmware": "/fakes",
        ROOT / "tests" / "life": "/life",
        umqtt_dir(): "/umqtt",
    }
    command = [node(), str(ROOT / "tests" / "weight" / "weigh.mjs"), str(WASM32_MODULE), json.dumps(steps)]
    command += [f"{source}={target}" for source, target in folders.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or done.stderr:
        raise WeighingFailed(f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found = [json.loads(line) for line in lines]
    return [(each["name"], each["used"], each["left"]) for each in found if "used" in each] + [
        (each["told"], 0, 0) for each in found if "told" in each
    ]


def weigh_wake(mpy: Path, config: dict[str, object], record: str = "") -> list[Step]:
    """Each stage of a wake; `record` is RTC memory as hex, "" after a loss of power."""
    setup = ("before", f"{SETUP}; board.set_up(json.loads({json.dumps(json.dumps(config))!s}), {record!r})")
    weighed = []
    for count, stage in enumerate(("begin", *STAGES)):
        steps = [("before", f"import json; {setup[1]}"), ("begin", "board.begin()")]
        steps += [(each, f"board.step({each!r})") for each in STAGES[: max(0, count - 1)]]
        if count:
            steps.append((stage, f"board.hold({stage!r})"))
        found = run(mpy, steps)
        (_, _, before), (name, used, left) = found[0], found[-1]
        weighed.append(Step(name, used - before, left - before))
    return weighed


def record_after(mpy: Path, config: dict[str, object]) -> str:
    """RTC memory as a first wake leaves it that got its receipt. Raises WeighingFailed when it got none."""
    steps = [
        ("before", f"import json; {SETUP}; board.set_up(json.loads({json.dumps(json.dumps(config))}), '')")
    ]
    steps += [("begin", "board.begin()"), *((each, f"board.step({each!r})") for each in STAGES)]
    steps += [
        ("told", "record, frames = board.told(); print(json.dumps({'told': record if frames else ''}))")
    ]
    told = run(mpy, steps)[-1][0]
    if not told:
        raise WeighingFailed("the first wake got no receipt")
    return told
