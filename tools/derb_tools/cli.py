"""The one command, `derb`: finds the subcommand that was asked for and loads that one only.

So `derb gateway` runs on a Pi that has none of the tools' packages, and a command whose packages are
missing says which extra brings them. Exit codes: 0 done, 1 failed, 2 misused.
"""

import errno
import importlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_tools.errors import AskedWrong, PartMissing, ToolError

INTERRUPTED = 130
OWN_PACKAGES = {"derb_tools", "derb_gateway"}


@dataclass(frozen=True)
class Subcommand:
    """Where a subcommand is (`module:attribute`, a typer app or a function) and which extra it needs."""

    target: str
    extra: str
    summary: str


SUBCOMMANDS = {
    "gateway": Subcommand("derb_gateway.cli:app", "gateway", "The daemon near the street, and its checks."),
    "demo": Subcommand("derb_tools.demo:demo", "demo", "A simulated street, from sensors to upstream."),
    "replay": Subcommand("derb_tools.replay:app", "tools", "Run the firmware's detection over a recording."),
    "decode": Subcommand("derb_tools.decode:decode", "gateway", "Show one frame as JSON, or why it is none."),
    "simulate": Subcommand("derb_tools.street.cli:simulate", "tools", "Make simulated recordings."),
    "score": Subcommand("derb_tools.street.cli:score", "tools", "Measure detection against the truth."),
    "boards": Subcommand(
        "derb_tools.boards_command:boards", "tools", "The boards that are known, and one of them explained."
    ),
    "flash": Subcommand(
        "derb_tools.flash.command:flash_command", "tools", "Flash a blank board, and test it."
    ),
    "doctor": Subcommand("derb_tools.doctor:doctor", "tools", "Look at this laptop, and say what it lacks."),
    "provision": Subcommand(
        "derb_tools.provision:provision", "tools", "Give a node its key and place, and register it."
    ),
    "label": Subcommand("derb_tools.label:label", "tools", "A node's label: PNG, PDF, or ZPL for a printer."),
    "calibrate": Subcommand(
        "derb_tools.calibrate:calibrate", "tools", "Guided: an empty bay or container, learnt and written."
    ),
    "monitor": Subcommand(
        "derb_tools.monitor:monitor", "tools", "A node's console, with what its lines mean."
    ),
    "shell": Subcommand("derb_tools.shell:shell", "tools", "MicroPython's prompt on a node."),
    "pull": Subcommand(
        "derb_tools.pull:pull", "tools", "Read a dead node's readings, for the gateway to take."
    ),
    "selftest": Subcommand(
        "derb_tools.selftest:selftest", "tools", "Test a node at the serial port: pass, or what to do."
    ),
    "fleet": Subcommand("derb_tools.fleet:app", "tools", "The nodes of a gateway, looked after from here."),
    "wiring": Subcommand(
        "derb_tools.wiring_command:wiring", "tools", "What is soldered to what, as a list or a picture."
    ),
    "energy": Subcommand("derb_tools.energy:energy", "tools", "How long a battery should last, modelled."),
    "release": Subcommand("derb_tools.release:app", "tools", "Signed firmware for nodes in the street."),
    "load": Subcommand("derb_tools.load:load", "gateway", "A fleet at the wire level, to try a gateway."),
}


def main() -> None:
    """The console script. An expected error is one line on stderr; a traceback is a bug."""
    _open_closed_streams()
    chosen = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    try:
        try:
            build_app(chosen)()
        finally:
            sys.stdout.flush()  # here, where a reader that has gone is no surprise
    except ToolError as error:
        print(f"derb: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, AskedWrong) else 1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone, `| head` for one; Python must not fail once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        full = "the output: " if error.errno == errno.ENOSPC else ""  # what is printed has no name
        where = f"{error.filename}: " if error.filename else full
        print(f"derb: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)


def _open_closed_streams() -> None:
    """Whoever started us may have closed them (`>&-`, some service managers): Python then has None in their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process


def build_app(chosen: str | None) -> typer.Typer:
    """The application with the chosen subcommand in it, and the others by name and summary only."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(top_level)
    for name, subcommand in SUBCOMMANDS.items():
        if name == chosen:
            _mount(app, name, subcommand)
        else:
            app.command(name, help=subcommand.summary)(_not_loaded)
    return app


def top_level(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Say the version and stop.")] = False,
) -> None:
    """Derb: city sensing from the kerb to the city's platform."""
    if version:
        typer.echo(f"derb {importlib.metadata.version('derb')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def _not_loaded() -> None:
    raise PartMissing("this subcommand was not loaded")


def _mount(app: typer.Typer, name: str, subcommand: Subcommand) -> None:
    found = load(name, subcommand)
    function = found if not isinstance(found, typer.Typer) else _only_command(found)
    if function is not None:
        app.command(name, help=inspect.getdoc(function) or subcommand.summary)(function)
    else:
        app.add_typer(found, name=name, help=subcommand.summary, no_args_is_help=True)


def _only_command(app: typer.Typer) -> Callable[..., Any] | None:
    """The function of a typer app that is one command and no group of them."""
    if len(app.registered_commands) != 1 or app.registered_groups or app.registered_callback:
        return None
    only = app.registered_commands[0]
    return only.callback if only.name is None else None


def load(name: str, subcommand: Subcommand) -> Any:
    """Import what the subcommand is. Raises PartMissing where its packages are not installed."""
    module, attribute = subcommand.target.split(":")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in OWN_PACKAGES:
            raise PartMissing(f"`derb {name}` is not in this version of derb ({error})") from error
        raise PartMissing(
            f"`derb {name}` needs packages that are not installed ({missing}): "
            f'pip install "derb[{subcommand.extra}]"'
        ) from error
    if found is None:
        raise PartMissing(f"`derb {name}` is not in this version of derb (no {subcommand.target})")
    return found


if __name__ == "__main__":
    main()
