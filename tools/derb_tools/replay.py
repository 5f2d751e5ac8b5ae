"""`derb replay`: the firmware's own detection, in MicroPython, over a recording."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from derb_tools.board_pipe import run_on_board
from derb_tools.errors import FirmwareFailed
from derb_tools.progress import with_progress
from derb_tools.trace_samples import (
    DISTANCE_MAX_MM,
    LevelSample,
    ParkingSample,
    Tally,
    level_samples,
    parking_samples,
)

PARKING_STATES = ("unknown", "free", "occupied")
ELAPSED_MAX_S = 1 << 29  # fits a small int on a 32-bit board

Point = tuple[int, int]
"""Distance in mm, fill in 1/10 %."""

app = typer.Typer()


class Interpreter(StrEnum):
    """Where the firmware runs; CPython only to show that it makes no difference."""

    UNIX = "unix"
    CPYTHON = "cpython"


Trace = Annotated[Path, typer.Argument(metavar="TRACE.csv", help="The recording; - for stdin.")]
InterpreterOption = Annotated[Interpreter, typer.Option(hidden=True)]


@app.command()
def parking(trace: Trace, interpreter: InterpreterOption = Interpreter.UNIX) -> None:
    """Say when the bay of a magnetometer recording was free and when occupied, one JSON object a line.

    \b
    derb replay parking trace.csv
    derb simulate parking --out - | derb replay parking -

    \b
    Columns, in any order, others are left out:
      t_ms            milliseconds from any moment on; steps of any length, never back
      x_nt,y_nt,z_nt  nanotesla (a microtesla is 1000), any orientation
      temp_c100       1/100 C (20.5 C is 2050); 0 throughout if you have none
      rssi_dbm        if you have it: the signal of the node's last uplink
      restart         if you have it: cold (lost power) or warm, before this sample

    It says the state (free, occupied, unknown) at the first sample and at each change, confidence from 0 to 100.
    """
    tally = Tally()
    samples = parking_samples(trace, tally)
    told = samples if sys.stdout.isatty() else with_progress(samples)  # the results themselves tell it there
    _print(replay_parking(told, interpreter), tally)


@app.command()
def level(
    trace: Trace,
    empty_mm: Annotated[int, typer.Option(help="From the sensor to the floor of the container, in mm.")],
    full_mm: Annotated[int, typer.Option(help="From the sensor to the refuse of a full container, in mm.")],
    table: Annotated[
        str, typer.Option(metavar="MM:PCT,...", help="The container's own table from distance to fill.")
    ] = "",
    interpreter: InterpreterOption = Interpreter.UNIX,
) -> None:
    """Say how full the container of an echo recording was, one JSON object a reading.

    \b
    derb replay level echoes.csv --empty-mm 1500 --full-mm 250

    \b
    Columns, in any order, others are left out:
      t_ms       milliseconds from any moment on, never back
      echo_us    the pings of one reading, microseconds there and back, as 8213;8220;-1;8209
                 (-1: no echo began; -2: it never ended)
      temp_c100  the air's, in 1/100 C (20.5 C is 2050)

    status: ok, too_close, too_far, no_echo or unstable; only ok has distance_mm and level_pct. A reading that shows that
    the container was emptied, wholly or in part, also says "collected":true.
    """
    if not 0 <= full_mm < empty_mm <= DISTANCE_MAX_MM:
        raise typer.BadParameter(
            f"--full-mm {full_mm} and --empty-mm {empty_mm}: both are distances from the sensor, 0 to {DISTANCE_MAX_MM} mm, "
            "and a full container's is the shorter"
        )
    points = _points(table)
    tally = Tally()
    _print(replay_level(level_samples(trace, tally), empty_mm, full_mm, interpreter, points), tally)


def replay_parking(
    samples: Iterable[ParkingSample], interpreter: str = Interpreter.UNIX
) -> Iterator[dict[str, object]]:
    """The state at the start and at every change. Raises ToolError and whatever `samples` raises."""
    code = "import replay_board\nreplay_board.parking()"
    for t_ms, state, confidence in _replies(code, map(_parking_lines, samples), interpreter):
        yield {"t_ms": int(t_ms), "state": PARKING_STATES[int(state)], "confidence": int(confidence)}


def replay_level(
    samples: Iterable[LevelSample], empty_mm: int, full_mm: int, interpreter: str = Interpreter.UNIX,
    points: Sequence[Point] = (),
) -> Iterator[dict[str, object]]:  # fmt: skip
    """One result a reading; `points`: the container's own table. Raises ToolError and whatever `samples` raises."""
    code = f"import replay_board\nreplay_board.level({empty_mm}, {full_mm}, {list(points)})"
    for t_ms, status, distance_mm, level_pct_x10, collected in _replies(
        code, _level_lines(samples), interpreter
    ):
        yield {
            "t_ms": int(t_ms),
            "status": status,
            "distance_mm": _number(distance_mm),
            "level_pct": None if level_pct_x10 == "-" else int(level_pct_x10) / 10,
        } | ({"collected": True} if collected == "1" else {})


def _points(table: str) -> list[Point]:
    """The points of "MM:PCT,...". Raises BadParameter when the board would refuse them."""
    try:
        words = [point.split(":") for point in table.split(",")] if table else []
        points = sorted((int(mm), round(float(pct) * 10)) for mm, pct in words)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{table!r} is not MM:PCT,MM:PCT,...", param_hint="--table") from None
    rises = any(a[0] == b[0] or a[1] < b[1] for a, b in pairwise(points))
    outside = any(not 0 <= mm <= DISTANCE_MAX_MM or not 0 <= pct <= 1000 for mm, pct in points)
    if len(points) == 1 or rises or outside:
        raise typer.BadParameter(
            f"two points or more, 0 to {DISTANCE_MAX_MM} mm, 0 to 100 %, the nearer the fuller",
            param_hint="--table",
        )
    return points


def _parking_lines(sample: ParkingSample) -> str:
    restart = sample.restart and sample.restart + "\n"
    if sample.field_nt is None:
        return restart
    # After a loss of power the node does not know how long it was away.
    step_ms = 0 if sample.restart == "cold" else sample.step_ms
    rssi = "" if sample.rssi_dbm is None else f" {sample.rssi_dbm}"
    x, y, z = sample.field_nt
    return f"{restart}{sample.t_ms} {step_ms} {x} {y} {z} {sample.temp_c100}{rssi}\n"


def _level_lines(samples: Iterable[LevelSample]) -> Iterator[str]:
    last_ms = None
    for sample in samples:
        # Before the first reading nothing is known, so that it does not matter how long.
        elapsed_s = 0 if last_ms is None else min(ELAPSED_MAX_S, (sample.t_ms - last_ms) // 1000)
        last_ms = sample.t_ms
        yield f"{sample.t_ms} {elapsed_s} {sample.temp_c100} {' '.join(map(str, sample.echoes_us))}\n"


def _replies(code: str, lines: Iterable[str], interpreter: str) -> Iterator[list[str]]:
    """The board's replies in words; without its last word it has failed, whatever its exit code says."""
    ended = False
    for line in run_on_board(code, lines, interpreter=interpreter):
        words = line.split()
        if words[0] == "end":
            ended = True
        else:
            yield words
    if not ended:
        raise FirmwareFailed("the firmware ended before the recording did")


def _number(word: str) -> int | None:
    return None if word == "-" else int(word)


def _print(results: Iterator[dict[str, object]], tally: Tally) -> None:
    for result in results:
        print(json.dumps(result, separators=(",", ":")))
    for note in tally.notes():
        print(f"derb: {note}", file=sys.stderr)
