"""`derb demo`: a whole street on one machine, from simulated sensors through real firmware, broker and gateway to an upstream."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from derb_tools.demo.run import Engine, run_demo, summary_lines


def demo(
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so many seconds; without it, at Ctrl-C.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another street for another number.")] = 1,
    speed: Annotated[
        float, typer.Option(help="How many times faster than real the street lives.", min=1, max=600)
    ] = 60.0,
    keep: Annotated[Path | None, typer.Option(help="Keep the run's files in this new folder.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Save the last picture of the street as SVG.")] = None,
    broker: Annotated[Engine, typer.Option(help="auto: Mosquitto where there is one, else amqtt.")] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")
    ] = False,
) -> None:
    """Run a simulated street: 6 bays and 6 containers, each node real firmware in its own MicroPython.

    \b
    derb demo                    until Ctrl-C
    derb demo --seconds 30       then a summary

    The summary at the end says what came of every reading; the exit code is 1 if one was lost or doubled.
    """
    console = Console(stderr=as_json)
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise typer.BadParameter(f"{keep} is not empty", param_hint="--keep")
        keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="derb-demo-") as temporary:
        summary = run_demo(
            keep or Path(temporary),
            seconds=seconds,
            seed=seed,
            speed=speed,
            console=console,
            picture=picture,
            engine=broker,
        )
    typer.echo(json.dumps(asdict(summary)) if as_json else summary_lines(summary))
    if not summary.sound:
        raise typer.Exit(1)
