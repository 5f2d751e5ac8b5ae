"""`derb simulate` and `derb score`: recordings from physics, and how well detection follows them."""

import dataclasses
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_tools.errors import ToolError
from derb_tools.street import scoring
from derb_tools.street.chips import CHIPS
from derb_tools.street.level import LEVEL_SCENARIOS, level_trace, write_level_trace
from derb_tools.street.parking import parking_trace
from derb_tools.street.scenarios import SCENARIOS
from derb_tools.street.trace import truth_path, write_trace

simulate = typer.Typer()

Scenario = Annotated[str, typer.Option(help="A name from --list.")]
Days = Annotated[float, typer.Option(min=0.001, max=400.0, help="Simulated days.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same recording.")]
Out = Annotated[Path | None, typer.Option(metavar="TRACE.csv", help="The truth is written beside it.")]
List = Annotated[bool, typer.Option("--list", help="Print the scenarios and stop.")]


@simulate.command()
def parking(
    scenario: Scenario = "nominal_perp",
    days: Days = 1.0,
    seed: Seed = 1,
    out: Out = None,
    rssi: Annotated[bool, typer.Option(help="Add the strength of the last uplink.")] = False,
    chip: Annotated[
        str | None, typer.Option(help=f"Another chip on the same street: {', '.join(CHIPS)}.")
    ] = None,
    period_s: Annotated[
        float | None, typer.Option(min=0.05, max=60.0, help="Another sampling period.")
    ] = None,
    list_them: List = False,
) -> None:
    """Make a magnetometer recording of a bay with its truth, for `derb replay parking` and `derb score`.

    \b
    derb simulate parking --list
    derb simulate parking --scenario street_hell --days 1 --seed 7 --out trace.csv
    """
    if list_them:
        return _print_list({name: street.about for name, street in SCENARIOS.items()})
    target = _checked(scenario, SCENARIOS, out)
    if chip is not None:
        chip = chip.upper()
        _known(chip, CHIPS, "--chip")
    trace = parking_trace(scenario, seed, days, rssi=rssi, chip=chip, period_s=period_s)
    write_trace(trace, target)
    return _say(target, len(trace.t_ms), "samples")


@simulate.command()
def level(
    scenario: Scenario = "nominal",
    days: Days = 30.0,
    seed: Seed = 1,
    out: Out = None,
    list_them: List = False,
) -> None:
    """Make an echo recording of a container with its truth, for `derb replay level` and `derb score`.

    \b
    derb simulate level --days 30 --out echoes.csv        says the depths, which `derb replay level` wants
    """
    if list_them:
        return _print_list({name: container.about for name, container in LEVEL_SCENARIOS.items()})
    target = _checked(scenario, LEVEL_SCENARIOS, out)
    trace = level_trace(scenario, seed, days)
    write_level_trace(trace, target)
    return _say(target, len(trace.t_ms), f"readings, --empty-mm {trace.empty_mm} --full-mm {trace.full_mm}")


def score(
    trace: Annotated[Path, typer.Argument(metavar="TRACE.csv", help="A recording.")],
    truth: Annotated[
        Path | None, typer.Argument(metavar="TRUTH.csv", help="Its truth; default: the file beside it.")
    ] = None,
    replayed: Annotated[
        str | None, typer.Option(metavar="FILE", help="What `derb replay` printed; - for stdin.")
    ] = None,
    references: Annotated[
        bool, typer.Option(help="Also the fixed threshold and the adaptive baseline (parking).")
    ] = False,
) -> None:
    """Measure detection against the truth: one JSON object a detector.

    \b
    derb score trace.csv
    derb replay parking trace.csv | derb score trace.csv --replayed -

    The truth of a bay: columns t_ms,state, a row a state (free, occupied) from when it holds, a last row "end". Where a column
    excluded is 1 nothing is judged.
    """
    beside = truth_path(trace) if truth is None else truth
    try:
        for name, figures in scoring.score_files(trace, beside, replayed, references):
            print(json.dumps({"detector": name, **_rounded(dataclasses.asdict(figures))}))
    except OSError as error:
        if error.filename is None:
            raise  # it was the output that could not be written
        raise ToolError(f"cannot read {error.filename}: {error.strerror}") from error


def _checked(name: str, known: Mapping[str, Any], out: Path | None) -> Path:
    _known(name, known, "--scenario")
    if out is None:
        raise typer.BadParameter("say where to write with --out TRACE.csv", param_hint="--out")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}", param_hint="--out")
    return out


def _known(name: str, known: Mapping[str, Any], option: str) -> None:
    if name not in known:
        raise typer.BadParameter(f"{name!r} is none of: {', '.join(known)}", param_hint=option)


def _print_list(abouts: Mapping[str, str]) -> None:
    width = max(map(len, abouts))
    for name, about in abouts.items():
        print(f"{name:<{width}}  {about}")


def _say(target: Path, count: int, what: str) -> None:
    print(f"{target} and {truth_path(target).name}: {count} {what}", file=sys.stderr)


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
