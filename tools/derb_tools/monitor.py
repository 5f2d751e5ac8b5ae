"""`derb monitor`: a node's console, with what its lines mean."""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Annotated

import typer
from derb_gateway.clock import Clock, iso_utc
from rich.console import Console

from derb_tools.at_node import JsonOption, PortOption, tell
from derb_tools.console_words import explain
from derb_tools.errors import PortError
from derb_tools.timed_port import TimedPort
from derb_tools.usb_port import find_port, is_there

_LONGEST = 2000  # bytes of a line; more without an end is no console
_LOOK_S = 0.2
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_GARBAGE_PCT = 30


def monitor(
    seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Stop after so long; Ctrl-C stops at any time."),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Reset the board first, where the port can.")
    ] = False,
    port: PortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a node says, and explain it: resets, panics, tracebacks, breadcrumbs, readings, frames.

    \b
    derb monitor                       until Ctrl-C; a port that goes and comes with the node's sleep is followed
    derb monitor --reset               from the beginning
    derb monitor --json --seconds 60   one JSON object a line

    It sends nothing, so it never wakes or stops a node. With the setting `log = 1` a node tells each step.
    """
    clock = Clock()
    console = Console(highlight=False, soft_wrap=True)
    with contextlib.suppress(KeyboardInterrupt):
        for line in listen(find_port(port), seconds, reset=reset):
            means = list(explain(line))
            if as_json:
                print(json.dumps({"at": iso_utc(clock.wall_ms()), "line": line, "means": means}), flush=True)
                continue
            console.print(line, markup=False)
            for each in means:
                console.print(f"    = {each}", markup=False, style="cyan")


def listen(device: str, seconds: float | None, *, reset: bool = False) -> Iterator[str]:
    """The console's lines, cleaned, until time is over. PortError when the port cannot be opened though it is there."""
    until_s = None if seconds is None else time.monotonic() + seconds
    lines = Lines()
    port: TimedPort | None = None
    try:
        while until_s is None or time.monotonic() < until_s:
            if port is None:
                port = _opened(device)
                if port is None:
                    time.sleep(_LOOK_S)
                    continue
                tell(f"listening at {device}; Ctrl-C stops")
                if reset:
                    reset = False
                    if not port.pulse_reset():
                        tell("this port cannot reset the board: press reset (EN) on it")
                continue
            try:
                received = port.read_some()
            except OSError:
                port.close()
                port = None
                yield from lines.rest()
                tell("the port is gone: the node sleeps, or was unplugged; waiting for it")
                continue
            yield from lines.take(received)
        yield from lines.rest()
    finally:
        if port is not None:
            port.close()


def _opened(device: str) -> TimedPort | None:
    if not is_there(device):
        return None
    try:
        return TimedPort.open(device)
    except PortError:
        if is_there(device):
            raise
        return None


class Lines:
    """Cuts what comes into lines fit for a terminal: nothing in them can command it."""

    def __init__(self) -> None:
        self._rest = b""
        self._told = False

    def take(self, received: bytes) -> Iterator[str]:
        """The lines that are whole now; one that is too long is cut."""
        *whole, self._rest = (self._rest + received).split(b"\n")
        for line in whole:
            yield from self._clean(line)
        while len(self._rest) > _LONGEST:
            cut, self._rest = self._rest[:_LONGEST], self._rest[_LONGEST:]
            yield from self._clean(cut)

    def rest(self) -> Iterator[str]:
        """What stands there without an end, a prompt for one."""
        line, self._rest = self._rest, b""
        if line:
            yield from self._clean(line)

    def _clean(self, line: bytes) -> Iterator[str]:
        for at in range(0, max(1, len(line)), _LONGEST):
            text = line[at : at + _LONGEST].decode(errors="replace")
            text = _CONTROL.sub("", _ESCAPES.sub("", text)).rstrip()
            if text:
                yield text
                self._look_for_garbage(text)

    def _look_for_garbage(self, text: str) -> None:
        if not self._told and len(text) >= 20 and 100 * text.count("�") > _GARBAGE_PCT * len(text):
            self._told = True
            tell(
                "this is no text at 115200 baud: a ROM that starts at 74880, a loose wire, or another device"
            )
