"""What every command at a serial port has in common: its options, and how it talks to the technician."""

import sys
from typing import Annotated

import typer

from derb_tools.prompt import WAIT_S, Prompt
from derb_tools.usb_port import find_port

PortOption = Annotated[
    str | None,
    typer.Option("--port", metavar="DEVICE", help="The serial port; without it the only ESP32 on USB."),
]
WaitOption = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=1, max=86_400, help="How long to wait for the node.")
]
ResetOption = Annotated[
    bool, typer.Option("--reset/--no-reset", help="Whether the port's own lines may reset the board.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")]
WAIT_DEFAULT_S = WAIT_S


def tell(words: str) -> None:
    """Say to the technician what to do; stdout is for results."""
    print(f"derb: {words}", file=sys.stderr, flush=True)


def at_prompt(port: str | None, wait_s: float, *, may_reset: bool) -> Prompt:
    """The prompt of the node at a port, for a `with`. PortError, NodeSilent, LineBroken."""
    return Prompt.open(find_port(port), tell, wait_s, may_reset=may_reset)
