"""Runs a node's simulated days in MicroPython, and reads every frame that it sent with the gateway's own decoder."""

import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from derb_gateway.frame import decode_uplink
from derb_gateway.readings import Uplink
from derb_tools.interpreters import micropython_command

ROOT = Path(__file__).parents[2]
NODE = "240ac4a1b2c3"
KEY = bytes(range(32))
HEAP_KB = 4096
PATIENCE_S = 1800

BIN = {"kind": "level", "wake_s": 3600}
BAY = {"kind": "parking", "wake_s": 300}
CHANGES, PASSERS, FULL_DAYS = 40, 30, 3


@dataclass(frozen=True)
class Sent:
    """One frame, when it went, and what the gateway makes of it."""

    second: int
    frame: bytes
    uplink: Uplink


@dataclass
class Lived:
    """What came of a node's days. An identity is (boot, sequence)."""

    days: int
    kept: dict[tuple[int, int], int] = field(default_factory=dict)  # when each reading was kept, in seconds
    kinds: Counter[int] = field(default_factory=Counter)
    sent: list[Sent] = field(default_factory=list)
    file_writes: Counter[int] = field(default_factory=Counter)  # by day
    counts: dict[str, int] = field(default_factory=dict)

    def times_sent(self) -> Counter[tuple[int, int]]:
        """How often each reading went over the air."""
        return Counter(
            (sent.uplink.boot, reading.sequence) for sent in self.sent for reading in sent.uplink.readings
        )

    def age_errors_s(self) -> list[int]:
        """By how much each age in a frame is wrong, 0 where it is right to the second."""
        return [
            sent.second - reading.age_s - self.kept[sent.uplink.boot, reading.sequence]
            for sent in self.sent
            for reading in sent.uplink.readings
        ]


def live(
    config: Mapping[str, object], days: int, *, outages: list[tuple[int, int]] | None = None, seed: int = 1
) -> Lived:
    """Let a bin or a bay live so many days; `outages` are seconds from and to which the link is broken."""
    plan = {
        "config": config,
        "days": days,
        "outages": outages or [],
        "seed": seed,
        "changes": CHANGES,
        "passers": PASSERS,
        "full_days": FULL_DAYS,
    }
    folders = [str(ROOT / "firmware"), str(ROOT / "tests" / "firmware"), str(ROOT / "tests" / "life")]
    code = f"import sys; sys.path[:0] = {folders!r}; import board_life"
    command = [*micropython_command(), "-X", f"heapsize={HEAP_KB}k", "-c", code]
    done = subprocess.run(
        command,
        input=json.dumps(plan) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return _read(done.stdout + done.stderr, days)


def _read(said: str, days: int) -> Lived:
    lived = Lived(days)
    for line in said.splitlines():
        match line.split(maxsplit=1)[0], line.split():
            case "F", [_, second, hexed]:
                frame = bytes.fromhex(hexed)
                lived.sent.append(Sent(int(second), frame, decode_uplink(NODE, KEY, frame)))
            case "K", [_, second, boot, sequence, kind]:
                lived.kept[int(boot), int(sequence)] = int(second)
                lived.kinds[int(kind)] += 1
            case "W", [_, day, files, _]:
                lived.file_writes[int(day)] = int(files)
            case "E", _:
                lived.counts = json.loads(line[2:])
            case _:
                raise AssertionError(f"the node said something else:\n{said[-2000:]}")
    assert lived.counts, f"the node did not come to its end:\n{said[-2000:]}"
    return lived
