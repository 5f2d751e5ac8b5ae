"""`derb shell`: MicroPython's prompt on a node, for a person or for code from a script."""

import sys
from types import SimpleNamespace
from typing import Annotated

import typer
from mpremote.console import Console
from mpremote.repl import do_repl_main_loop

from derb_tools.at_node import WAIT_DEFAULT_S, PortOption, ResetOption, WaitOption, at_prompt, tell
from derb_tools.prompt import Prompt

_CODE_S = 600.0


def shell(
    code: Annotated[
        list[str] | None,
        typer.Option("--exec", "-c", metavar="CODE", help="Run this instead; may be repeated."),
    ] = None,
    port: PortOption = None,
    wait: WaitOption = WAIT_DEFAULT_S,
    may_reset: ResetOption = True,
) -> None:
    """Give MicroPython's prompt on a node; it goes back to work when you leave.

    \b
    derb shell                                  Ctrl-] leaves
    derb shell -c "import os; print(os.listdir())"
    derb shell < program.py                     code from a file

    After 30 minutes the node's watchdog ends the prompt.
    """
    with at_prompt(port, wait, may_reset=may_reset) as prompt:
        if code:
            run_code(prompt, code)
        elif sys.stdin.isatty():
            _interactive(prompt)
        else:
            run_code(prompt, [sys.stdin.read()])


def run_code(prompt: Prompt, code: list[str]) -> None:
    """Run pieces of code one after the other and show what they print. LineBroken, NodeRaised."""
    prompt.load("shell")
    for each in code:
        prompt.call(f"run({each!r})", _CODE_S, lambda printed: print(printed, end="", flush=True))


def _interactive(prompt: Prompt) -> None:
    tell("MicroPython's prompt; Ctrl-] leaves, and the node goes back to work")
    console = Console()
    console.enter()
    try:
        gone = do_repl_main_loop(
            SimpleNamespace(transport=prompt.friendly()),
            console,
            console.write,
            escape_non_printable=True,
            code_to_inject=None,
            file_to_inject=None,
        )
    finally:
        console.exit()
    print()
    if gone:
        tell("the port is gone: the node sleeps, or was unplugged")
