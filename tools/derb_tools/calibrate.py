"""`derb calibrate`: guided, at an empty bay or an empty container, with a live picture of the signal."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from derb_tools.at_node import (
    WAIT_DEFAULT_S,
    JsonOption,
    PortOption,
    ResetOption,
    WaitOption,
    at_prompt,
    tell,
)
from derb_tools.errors import ToolError
from derb_tools.prompt import Prompt
from derb_tools.signal_picture import picture
from derb_tools.steadiness import ROUNDS, Depth, Field

_CALL_S = 30.0
_LEARN_S = 120.0
_LOOKS = 20
_FREE = 1  # derb.parking
_FIELD_SPAN_NT = 4000
_DEPTH_SPAN_MM = 60
_LEAST_ROOM_MM = 100
_YES = ("", "y", "yes", "o", "oui")

Draw = Callable[[str], None]


class NotSteady(ToolError):
    """The signal did not come to rest in time."""


def calibrate(
    full_mm: Annotated[
        int | None,
        typer.Option(
            min=0, max=7900, help="Container: from the sensor to the brim, in mm; as it is, if not said."
        ),
    ] = None,
    is_empty: Annotated[
        bool, typer.Option("--empty", help="It is empty: do not ask. For scripts, and for gloves.")
    ] = False,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", min=5, help="How long the signal may take to come to rest.")
    ] = 90.0,
    port: PortOption = None,
    wait: WaitOption = WAIT_DEFAULT_S,
    may_reset: ResetOption = True,
    as_json: JsonOption = False,
) -> None:
    """Let a node learn its empty bay, or measure its empty container, and write what the firmware reads.

    \b
    derb calibrate                     asks whether it is empty, shows the signal, writes
    derb calibrate --full-mm 250       a container, whose brim is 250 mm below the sensor
    derb calibrate --empty --json      without a question

    Nothing is written unless the signal came to rest. Ctrl-C at any moment leaves the node as it was.
    """
    with at_prompt(port, wait, may_reset=may_reset) as prompt:
        prompt.load("calibrate")
        settings = prompt.call("settings()")
        is_bay = settings["kind"] == "parking"
        if is_bay and full_mm is not None:
            raise typer.BadParameter(f"{settings['node']} watches a bay; --full-mm is of a container")
        if not is_empty:
            _ask(is_bay)
        with _live() as draw:
            result = (
                learn_bay(prompt, patience, draw)
                if is_bay
                else measure(prompt, settings, full_mm, patience, draw)
            )
    result = {"node": settings["node"], "kind": settings["kind"], **result}
    print(json.dumps(result) if as_json else _in_words(result))


def learn_bay(prompt: Prompt, patience_s: float, draw: Draw) -> dict[str, Any]:
    """Wait until nothing moves, then let the detector begin anew. NotSteady, ToolError."""
    field, until_s = Field(), time.monotonic() + patience_s
    while not field.quiet:
        if time.monotonic() > until_s:
            raise NotSteady(
                f"the field did not come to rest within {patience_s:.0f} s: a car or a tool moves nearby, or a wire is "
                "loose (`derb selftest` says); nothing was written"
            )
        field.take(prompt.call("fields(2)", _CALL_S))
        draw("\n".join(picture(name, field.axis(i), "nT", _FIELD_SPAN_NT) for i, name in enumerate("xyz")))
    learnt: dict[str, Any] = prompt.call(f"learn_bay({_LOOKS})", _LEARN_S)
    if learnt["state"] != _FREE:
        raise ToolError(
            f"the node does not take the bay for free (state {learnt['state']}, sensor fault {learnt['fault']}): is it "
            "empty, is the sensor sound? `derb selftest` says; then calibrate again"
        )
    middle = [round(sum(axis) / len(axis)) for axis in zip(*field.samples[-12:], strict=True)]
    return {"state": "free", "confidence": learnt["confidence"], "field_nt": middle}


def measure(
    prompt: Prompt, settings: dict[str, Any], full_mm: int | None, patience_s: float, draw: Draw
) -> dict[str, Any]:
    """Measure an empty container until the rounds agree, then write empty_mm and full_mm. NotSteady, ToolError."""
    depth, until_s = Depth(), time.monotonic() + patience_s
    while (empty_mm := depth.steady_mm) is None:
        if time.monotonic() > until_s:
            raise NotSteady(
                f"{ROUNDS} rounds in a row did not agree within {patience_s:.0f} s ({depth.answered_pct} % of the last "
                "pings answered): aim the sensor straight down, clear of the wall; nothing was written"
            )
        found = prompt.call("ranged()", _CALL_S)
        depth.take(found["echoes_us"], found["temp_c100"])
        draw(
            picture("depth", depth.rounds_mm, "mm", _DEPTH_SPAN_MM)
            + f"\n{'answered':>9}  {depth.answered_pct} % of the pings of this round"
        )
    brim_mm = settings["full_mm"] if full_mm is None else full_mm
    if empty_mm - brim_mm < _LEAST_ROOM_MM:
        raise ToolError(
            f"measured {empty_mm} mm to the floor, and the brim would be at {brim_mm} mm: is it empty? else say where the "
            "brim is: --full-mm; nothing was written"
        )
    written = prompt.call(f"write({json.dumps({'empty_mm': empty_mm, 'full_mm': brim_mm})})", _CALL_S)
    for name, stands, in_force in written:
        if in_force != stands:
            node = settings["node"]
            tell(
                f"the gateway has set {name} = {in_force} from afar, and that counts: give it back with "
                f"`derb gateway config set {node} {name}= --config gateway.toml`"
            )
    return {name: stands for name, stands, _ in written}


def _ask(is_bay: bool) -> None:
    what = (
        "no car in the bay, none moving in the next"
        if is_bay
        else "the container empty, its lid as it will be"
    )
    tell(f"{what}? Press Enter; Ctrl-C to stop")
    answer = sys.stdin.readline()
    if answer.strip().lower() not in _YES:
        raise ToolError(
            f"{answer.strip()!r} is no yes: empty it first, and calibrate again; nothing was written"
        )
    if not answer:
        raise typer.BadParameter(
            "nobody is there to say that it is empty; --empty says so without a question"
        )


@contextmanager
def _live() -> Iterator[Draw]:
    """Something to draw the signal with: in place on a terminal, not at all elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda lines: live.update(Text(lines), refresh=True)


def _in_words(result: dict[str, Any]) -> str:
    if result["kind"] == "parking":
        x, y, z = result["field_nt"]
        return f"{result['node']}: the bay is learnt as free, confidence {result['confidence']} %, field {x} {y} {z} nT"
    depths = f"empty_mm = {result['empty_mm']}, full_mm = {result['full_mm']}"
    return f"{result['node']}: {depths}; the gateway's registry must say the same of its container"
