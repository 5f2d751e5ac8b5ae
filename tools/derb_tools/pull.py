"""`derb pull`: a dead node's outbox and health, into a file that the gateway takes; from its prompt, or from its bare flash."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from derb_gateway.clock import Clock, iso_utc
from derb_gateway.frame import FrameError, decode_unsigned
from derb_gateway.pulled_file import FORMAT

from derb_tools.at_node import (
    WAIT_DEFAULT_S,
    JsonOption,
    PortOption,
    ResetOption,
    WaitOption,
    at_prompt,
    tell,
)
from derb_tools.errors import NodeSilent, ToolError
from derb_tools.flash.flash_pull import pull_flash
from derb_tools.prompt import Prompt
from derb_tools.pull_file import keep_pulled
from derb_tools.usb_port import find_port

_PAGE_S = 30.0
_SHOWN = (
    *("reset_cause", "safe_level", "wakes_failed", "failed_phase", "failed_cause", "failures_in_a_row"),
    *("read_from", "file_system"),
)
_MOST_PAGES = 1000  # 24 files of 1,200 bytes are far fewer
_ONLY_IN_RTC = (
    "readings that the node had only in RTC memory went with the reset: at most 24 levels, never an event that it had "
    "tried to send; where a door pin is provisioned, hold it low at the node's next wake instead of pressing reset"
)


def pull(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to; NODE-TIME.json if not said.")
    ] = None,
    port: PortOption = None,
    wait: WaitOption = WAIT_DEFAULT_S,
    may_reset: ResetOption = True,
    from_flash: Annotated[
        bool,
        typer.Option("--from-flash", help="Read the bare flash, of a node whose firmware does not start."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read what a node has not been told is safe, and how it has been, into a file; the node keeps all of it.

    \b
    derb pull                             into NODE-TIME.json, and show what is in it
    derb pull --out node7.json            into this file
    derb pull --from-flash                from a node whose firmware does not start
    derb gateway take node7.json --config gateway.toml     at the gateway: nothing lost, nothing doubled

    The frames are signed with the node's key, so the file holds no key, and nobody can change a reading in it.
    """
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} exists already; what was pulled is never written over")
    pulled = pull_flash(find_port(port), tell, Clock()) if from_flash else _at_prompt(port, wait, may_reset)
    path = keep_pulled(pulled, out)
    if as_json:
        print(json.dumps({"file": str(path), **pulled}))
        return
    for line in described(pulled):
        print(line)
    print(f"\n{path}: give it to the gateway: derb gateway take {path} --config gateway.toml")


def _at_prompt(port: str | None, wait_s: float, may_reset: bool) -> dict[str, Any]:
    try:
        with at_prompt(port, wait_s, may_reset=may_reset) as prompt:
            return pull_node(prompt, Clock())
    except NodeSilent as silent:
        raise NodeSilent(f"{silent} If its firmware does not start: derb pull --from-flash") from None


def pull_node(prompt: Prompt, clock: Clock, turned: Callable[[int], None] | None = None) -> dict[str, Any]:
    """Everything that the file holds. LineBroken, NodeRaised; ToolError if the outbox has no end."""
    prompt.load("pull")
    synchronised = clock.synchronised()
    begun: dict[str, Any] = prompt.call(f"begin({clock.wall_ms() // 1000 if synchronised else 0})", _PAGE_S)
    if not begun["rtc_memory"]:
        tell(_ONLY_IN_RTC)
    frames: list[dict[str, Any]] = []
    readings = 0
    for number in range(_MOST_PAGES):
        page = prompt.call(f"page({number})", _PAGE_S)
        if not page:
            break
        frames += [{"at_ms": clock.wall_ms(), "hex": each} for each, _ in page]
        readings += sum(taken for _, taken in page)
        if turned:
            turned(readings)
    else:
        raise ToolError("the node's outbox has no end: its flash is damaged; read it with esptool")
    return {
        "format": FORMAT,
        "node": begun["node"],
        "frames_at": iso_utc(clock.wall_ms()),
        "synchronised": synchronised,
        "readings": readings,
        "frames": frames,
        "health": {**begun, **prompt.call("health()")},
    }


def described(pulled: dict[str, Any]) -> list[str]:
    """The readings in words, oldest first, and what the node says of itself."""
    lines = [f"node {pulled['node']}: {pulled['readings']} readings in {len(pulled['frames'])} frames"]
    for frame in pulled["frames"]:
        try:
            uplink = decode_unsigned(bytes.fromhex(frame["hex"]))
        except FrameError as error:
            lines.append(f"  not understood: {error}")
            continue
        for reading in reversed(uplink.readings):
            bound = "at least " if uplink.age_is_bound else ""
            body = " ".join(f"{name}={value}" for name, value in reading.body.to_json().items())
            lines.append(f"  {uplink.boot}:{reading.sequence}  {bound}{reading.age_s} s old  {body}")
    health = pulled["health"]
    lines.append("  " + ", ".join(f"{name} {health[name]}" for name in _SHOWN if name in health))
    return lines
