"""`derb energy`: how long a battery should last on a board, with every assumption, and what would change it most."""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from derb_tools.boards import Board
from derb_tools.energy_figures import CHEMISTRIES, SENSORS
from derb_tools.energy_model import Estimate, estimate
from derb_tools.energy_page import page, ranked
from derb_tools.energy_setup import Asked, make_setup, seconds
from derb_tools.energy_text import as_json, assumptions, life, report, warnings
from derb_tools.errors import AskedWrong
from derb_tools.flash.choice import asked_board

_CHANGES_SHOWN = 4


class Kind(StrEnum):
    """What the node watches."""

    PARKING = "parking"
    LEVEL = "level"


class Link(StrEnum):
    """How it speaks."""

    WIFI = "wifi"
    ESPNOW = "espnow"


def energy(
    board: Annotated[
        str, typer.Option(help="A name from `derb boards`, or a board file of your own (.toml).")
    ] = "firebeetle2-esp32-e",
    kind: Annotated[Kind, typer.Option(help="What the node watches.")] = Kind.PARKING,
    link: Annotated[Link, typer.Option(help="How it speaks.")] = Link.WIFI,
    every: Annotated[
        str | None,
        typer.Option(
            help="Time between wakes by the clock (wake_s): 90s, 5m, 1h. Usual: 5m for a bay, 30m for a container."
        ),
    ] = None,
    events_per_day: Annotated[
        float | None,
        typer.Option(
            min=0, max=5000, help="Changes, sent at once. Usual: 10 for a bay (5 visits), 1 for a container."
        ),
    ] = None,
    passers_per_day: Annotated[
        float | None,
        typer.Option(min=0, max=5000, help="How often what only drives past wakes a bay. Usual: 30."),
    ] = None,
    report_every: Annotated[
        int | None,
        typer.Option(min=1, max=48, help="Level readings gathered for one sending (report_every). Usual: 4."),
    ] = None,
    sensor: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(SENSORS)}. Usual: lis3mdl, hc-sr04.")
    ] = None,
    battery: Annotated[str, typer.Option(help=f"One of {', '.join(CHEMISTRIES)}.")] = "li-ion",
    battery_mah: Annotated[
        float | None,
        typer.Option(
            min=1, max=1_000_000, help="Its capacity. Usual: 3000 li-ion, 19000 li-socl2, 12000 alkaline."
        ),
    ] = None,
    failed_percent: Annotated[float, typer.Option(min=0, max=100, help="Sends that find no gateway.")] = 0,
    fixed_address: Annotated[
        bool,
        typer.Option(
            "--fixed-address", help="Never ask DHCP. The firmware keeps an address for 6 hours (lease_s)."
        ),
    ] = False,
    frozen: Annotated[
        bool,
        typer.Option(
            "--frozen",
            help="The node frozen into an image of your own (docs/custom-image.md); with a stock image it is in files.",
        ),
    ] = False,
    mended: Annotated[
        bool, typer.Option("--mended", help="With the board's mend done; `derb boards BOARD` says which.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="The tables of docs/energy.md, as Markdown, and nothing else.")
    ] = False,
) -> None:
    """Compute how long a battery should last.

    All of it is modelled: figures that others measured, data sheets, and assumptions, each listed with its source.
    docs/energy.md says when a node wakes, measures and sends.

    \b
    A bay on a FireBeetle over Wi-Fi, woken by its sensor and every 5 minutes:
      derb energy --board firebeetle2-esp32-e --kind parking --link wifi --every 5m
    The same with the LED pad cut and a relay in the street:
      derb energy --board firebeetle2-esp32-e --mended --link espnow
    A busy bay on one D cell:
      derb energy --mended --events-per-day 40 --passers-per-day 200 --battery li-socl2
    A container read every hour, its ranger behind a switch:
      derb energy --kind level --every 1h --sensor hc-sr04-switched
    """
    if compare:
        print(page())
        return
    try:
        asked = Asked(
            kind,
            link,
            None if every is None else seconds(every),
            events_per_day,
            passers_per_day,
            report_every,
            sensor,
            battery,
            battery_mah,
            failed_percent / 100,
            fixed_address,
            frozen,
            mended,
        )
        name, described = asked_board(board)
        found = estimate(make_setup(described, asked))
    except AskedWrong as error:
        raise typer.BadParameter(str(error)) from None
    if json_output:
        print(json.dumps(_values(name, described, found, mended)))
    else:
        print("\n".join(_words(described, found, mended)))


def _warnings(described: Board, found: Estimate, mended: bool) -> list[str]:
    mend = described.mend.how if described.mend and not mended else None
    return warnings(found, described.wake.method if described.wake else None, mend)


def _changes(described: Board, found: Estimate, mended: bool) -> list[tuple[str, Estimate]]:
    mended_ua = described.mend.sleep_current_ua if described.mend and not mended else None
    return ranked(found, mended_ua)


def _words(described: Board, found: Estimate, mended: bool) -> Iterator[str]:
    setup = found.setup
    yield f"{described.name}, {setup.kind}, {setup.sensor.name}, {setup.link}: {life(found.life_days)}, modelled"
    yield (
        f"wakes every {setup.every_s} s; {setup.events_per_day:g} changes a day; "
        f"{setup.battery_mah:g} mAh {setup.chemistry.name}"
    )
    yield ""
    yield from report(found)
    for warning in _warnings(described, found, mended):
        yield f"\nWarning: {warning}"
    yield "\nWhat would change it most, one at a time:"
    for change, then in _changes(described, found, mended)[:_CHANGES_SHOWN]:
        yield f"  {life(then.life_days):14} {change}"
    yield "\nAssumptions; nothing was measured on Derb's own hardware:"
    yield f"  deep sleep: {setup.board_sleep_ua:g} uA: {_sleep_source(described, mended)}"
    for line in assumptions(setup):
        yield f"  {line}"


def _sleep_source(described: Board, mended: bool) -> str:
    return (
        described.mend.source
        if mended and described.mend
        else f"{described.sleep_basis}: {described.sleep_source}"
    )


def _values(board: str, described: Board, found: Estimate, mended: bool) -> dict[str, object]:
    setup = found.setup
    return {
        "board": board,
        "kind": setup.kind,
        "link": setup.link,
        "sensor": setup.sensor.name,
        "every_s": setup.every_s,
        "events_per_day": setup.events_per_day,
        "passers_per_day": setup.passers_per_day,
        "battery_mah": setup.battery_mah,
        "board_sleep_ua": setup.board_sleep_ua,
        **as_json(found),
        "warnings": _warnings(described, found, mended),
        "changes": {words: round(then.life_days, 1) for words, then in _changes(described, found, mended)},
        "assumptions": [f"deep sleep: {_sleep_source(described, mended)}", *assumptions(setup)],
    }
