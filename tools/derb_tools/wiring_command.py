"""`derb wiring`: how a board is wired, as a list or as a picture."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from derb_tools.errors import AskedWrong, ToolError
from derb_tools.flash.choice import asked_board
from derb_tools.wiring import PARTS, USUAL, Wire, kinds_of, wires
from derb_tools.wiring_page import page, pictures
from derb_tools.wiring_picture import picture

_BEGIN, _END = "<!-- made by `derb wiring --docs` -->", "<!-- end -->"


def wiring(
    board: Annotated[
        str | None, typer.Argument(metavar="BOARD", help="A name from `derb boards`, or a board file.")
    ] = None,
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help="parking, level or relay.")] = None,
    sensor: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(PARTS)}. Usual: {', '.join(USUAL.values())}."),
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into this file.")] = None,
    docs: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Make wiring.md and its pictures anew.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say or draw what is soldered to what.

    \b
    derb wiring firebeetle2-esp32-e level                   the wires, one a line
    derb wiring firebeetle2-esp32-e level --svg level.svg   a picture
    derb wiring xiao-esp32c3 level --sensor a02yyuw         with another sensor
    derb wiring ./my-board.toml parking                     of a board file of your own
    derb wiring --docs docs                                 the page of the documentation
    """
    if docs is not None:
        _write_docs(docs)
        return
    if board is None:
        raise typer.BadParameter("name a BOARD; `derb boards` lists them")
    try:
        _, chosen = asked_board(board)
        which = kind or kinds_of(chosen)[0]
        drawn = wires(chosen, which, sensor)
    except AskedWrong as error:
        raise typer.BadParameter(str(error)) from None
    if svg is not None:
        svg.write_text(picture(chosen, which, sensor), "utf-8")
    elif as_json:
        print(json.dumps([asdict(wire) for wire in drawn]))
    else:
        print("\n".join(listed(drawn)))


def listed(drawn: list[Wire]) -> Iterator[str]:
    """The wires in words, one a line."""
    for wire in drawn:
        part = "battery" if wire.side == "battery" else "sensor"
        resistors = f" ({wire.through} in the wire, {wire.down} to GND)" if wire.through else ""
        yield f"{wire.board_pin:8} {part} {wire.part_pin:5} {wire.why}{resistors}".rstrip()


def _write_docs(folder: Path) -> None:
    file = folder / "wiring.md"
    before, begin, rest = file.read_text("utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ToolError(f"{file}: has no place for the tables: put {_BEGIN} and {_END} into it")
    file.write_text(f"{before}{_BEGIN}\n\n{page()}\n{_END}{after}", "utf-8")
    (folder / "wiring").mkdir(exist_ok=True)
    for name, drawn in pictures().items():
        (folder / "wiring" / name).write_text(drawn, "utf-8")
