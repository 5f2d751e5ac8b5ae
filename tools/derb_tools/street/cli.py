"""`derb simulate` and `derb score`: recordings from physics, and how well detection follows them."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from derb_gateway.toml_model import nearest

from derb_tools.errors import ToolError
from derb_tools.street import scoring
from derb_tools.street.chips import CHIPS
from derb_tools.street.level import LEVEL_SCENARIOS, level_trace, level_trace_lines, write_level_trace
from derb_tools.street.parking import DAY_S, parking_trace
from derb_tools.street.scenarios import SCENARIOS
from derb_tools.street.trace import trace_lines, truth_path, write_trace
from derb_tools.trace_samples import Tally

simulate = typer.Typer()

SAMPLES_MOST = 10_000_000
"""About 2 GB of memory."""

Scenario = Annotated[str, typer.Option(help="A name from --list.")]
Days = Annotated[float, typer.Option(min=0.001, max=400.0, help="Simulated days.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same recording.")]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="TRACE.csv", help="The truth is written beside it; - for stdout, without the truth."
    ),
]
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
    derb simulate parking --out - | derb replay parking -

    A day at one sample a second is 86,400 samples; 10,000,000 are the most at once.
    """
    if list_them:
        return _print_list({name: street.about for name, street in SCENARIOS.items()})
    target = _checked(scenario, SCENARIOS, out)
    if chip is not None:
        _known(chip.upper(), CHIPS, "--chip")
        chip = chip.upper()
    shortest_s = period_s or SCENARIOS[scenario].period_s[0]
    if days * DAY_S / shortest_s > SAMPLES_MOST:
        raise typer.BadParameter(
            f"would be {days * DAY_S / shortest_s:,.0f} samples, and {SAMPLES_MOST:,} are the most at once: "
            f"take {int(SAMPLES_MOST * shortest_s / DAY_S)} days or fewer, or a longer --period-s",
            param_hint="--days",
        )
    trace = parking_trace(scenario, seed, days, rssi=rssi, chip=chip, period_s=period_s)
    if _is_stream(target):
        _pour(target, trace_lines(trace))
    else:
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
    if _is_stream(target):
        _pour(target, level_trace_lines(trace))
    else:
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

    \b
    Of a bay, of the time that is judged:
      balanced_accuracy_pct   how much of the free and of the occupied time was
                              told rightly, the mean of both: 50 is guessing
      balanced_accuracy_strict_pct    the same, unknown counted as wrong
      strong_...              without motorcycles and high clearance
      unknown_pct, longest_wrong_s
      true_transitions        changes of state that were to be told
      transitions_ratio       changes told for each of them
      ghosts_per_1000         changes told that were none, for 1000 true ones
      missed_per_1000         true ones not told within two minutes
      latency_median_s, latency_p95_s     from a true change until it was told
      fault_unknown_pct, fault_wrong_pct  while the chip was stuck or overrun

    \b
    Of a container of so many readings:
      ok_pct                  those with a level
      mae_pct_of_depth, p95_pct_of_depth  how far the distance was wrong,
                              depth being the empty container's
      fill_rms_pct            level against the heap's mean height, in points
      fill_rms_with_table_pct the same, by a table learnt on the first half
      collections, collections_found, collections_missed, collections_wrong,
      collection_f1           emptyings by 15 points or more
      false_fulls, false_fulls_per_year   called full and was not
      normal_status_pct       right statuses where nothing was wrong
      fault_status_pct        right statuses in each fault
      bad_levels_in_faults    wrong levels told in a fault

    The truth of a bay: columns t_ms,state, a row a state (free, occupied) from when it holds, a last row "end". Where a column
    excluded is 1 nothing is judged.

    \b
    The truth of a container begins with its depths, then has a row a reading:
      # level empty_mm=1250 full_mm=300
      t_ms,surface_mm,fill_pct,collected,fell_pct,fault,accepted
      0,1248.0,0.2,,0,,ok
      1800000,1249.5,0.1,full,82.5,,ok

    surface_mm: from the sensor to the nearest refuse; fill_pct: its mean height; collected: full or partial, at the first
    reading after an emptying by fell_pct points; fault: what was wrong, if so; accepted: the right statuses, with | between.
    """
    beside = truth_path(trace) if truth is None else truth
    if truth is None and not beside.exists():
        if not trace.exists():
            raise ToolError(f"cannot read {trace}: no such file")
        raise ToolError(
            f"there is no {beside}: name the truth, `derb score {trace} TRUTH.csv`; `derb score --help` says its columns"
        )
    tally = Tally()
    try:
        for name, figures in scoring.score_files(trace, beside, replayed, references, tally):
            print(json.dumps({"detector": name, **_rounded(dataclasses.asdict(figures))}))
    except OSError as error:
        if error.filename is None:
            raise  # it was the output that could not be written
        raise ToolError(f"cannot read {error.filename}: {error.strerror}") from error
    for note in tally.notes():
        print(f"derb: {note}", file=sys.stderr)


def _checked(name: str, known: Mapping[str, Any], out: Path | None) -> Path:
    _known(name, known, "--scenario")
    if out is None:
        raise typer.BadParameter("say where to write with --out TRACE.csv", param_hint="--out")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}", param_hint="--out")
    if out.is_dir():
        raise typer.BadParameter(f"{out} is a folder: name a file in it", param_hint="--out")
    return out


def _known(name: str, known: Mapping[str, Any], option: str) -> None:
    if name not in known:
        raise typer.BadParameter(f"there is no {name!r}{nearest(name, list(known))}", param_hint=option)


def _is_stream(target: Path) -> bool:
    """Whether it is no place for a file, so that no truth can lie beside it: stdout, a pipe, a device."""
    return str(target) == "-" or (target.exists() and not target.is_file())


def _pour(target: Path, lines: Iterable[str]) -> None:
    if str(target) == "-":
        sys.stdout.writelines(lines)
        return
    try:
        with target.open("w", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as error:
        error.filename = str(target)  # of a write it says none
        raise


def _print_list(abouts: Mapping[str, str]) -> None:
    width = max(map(len, abouts))
    for name, about in abouts.items():
        print(f"{name:<{width}}  {about}")


def _say(target: Path, count: int, what: str) -> None:
    beside = "no truth" if _is_stream(target) else truth_path(target).name
    where = "stdout" if str(target) == "-" else target
    print(f"{where} and {beside}: {count} {what}", file=sys.stderr)


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
