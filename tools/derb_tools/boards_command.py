"""`derb boards`: the boards that are known, and one of them explained."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from derb_tools.boards import Board, load_board, load_boards, read_board
from derb_tools.chips import CHIPS
from derb_tools.errors import AskedWrong


def boards(
    board: Annotated[
        str | None,
        typer.Argument(metavar="BOARD", help="A name from the list, or a board file of your own (.toml)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the boards that are known, or explain one; a file of your own is checked.

    \b
    derb boards                          all of them
    derb boards firebeetle2-esp32-e      one, with pins, wake, sleep and known faults
    derb boards ./my-board.toml          check a file of your own
    """
    if board is None:
        found = load_boards()
        lines = _table(found)
    else:
        found = {Path(board).stem: _one(board)}
        lines = (line for name, each in found.items() for line in explain(name, each))
    if as_json:
        print(json.dumps({name: each.model_dump() for name, each in found.items()}))
    else:
        print("\n".join(lines))


def _one(board: str) -> Board:
    try:
        return read_board(Path(board)) if board.endswith(".toml") else load_board(board)
    except AskedWrong as error:
        raise typer.BadParameter(str(error)) from None


def _table(found: dict[str, Board]) -> Iterator[str]:
    width = max(map(len, found))
    yield f"{'board':{width}}  chip     flash  deep sleep           for"
    for name, board in found.items():
        kinds = ", ".join(board.serves()) or board.role
        yield f"{name:{width}}  {board.chip:7}  {board.flash_mb:2} MB  {_sleep(board):19}  {kinds}"
    yield ""
    yield "`derb boards BOARD` explains one: pins, wake, what is wrong with it."


def _sleep(board: Board) -> str:
    if board.role == "relay":
        return "mains"
    return f"{board.sleep_current_ua:g} uA, {board.sleep_basis}"


def explain(name: str, board: Board) -> Iterator[str]:
    """One board in words, a line at a time."""
    yield f"{name}: {board.name}, {board.chip}, {board.flash_mb} MB of flash"
    yield f"image       {board.image} (micropython.org/download)"
    yield f"for         {', '.join(board.serves()) or board.role}"
    yield f"USB         {', '.join(board.usb)}"
    yield f"on flash    {_layout(board)}"
    yield from _pin_lines(board)
    yield from _battery_lines(board)
    yield f"deep sleep  {_sleep(board)}"
    yield f"            {board.sleep_source}"
    yield f"            {board.sleep_note}"
    if board.mend:
        yield f"mend        {board.mend.sleep_current_ua:g} uA: {board.mend.how}"
        yield f"            {board.mend.source}"
    if board.note:
        yield f"note        {board.note}"


def _layout(board: Board) -> str:
    return ", ".join(f"{key} {size >> 10} kB at {at:#x}" for key, (at, size) in board.layout.places().items())


def _pin_lines(board: Board) -> Iterator[str]:
    for key, pin in board.pins.given().items():
        yield f"{key:10}  GPIO {pin}"
    if board.wake:
        yield f"wake        esp32.wake_on_{board.wake.method}, GPIO {', '.join(map(str, board.wake.pins))}"
    unfit = {pin: why for pin, why in CHIPS[board.chip].refused.items() if pin in board.header}
    unfit |= {taken.pin: f"it belongs to {taken.by}" for taken in board.taken}
    for pin, why in sorted(unfit.items()):
        yield f"leave alone GPIO {pin}: {why}"


def _battery_lines(board: Board) -> Iterator[str]:
    if board.battery is None:
        return
    place = "connector and charger" if board.battery.connector else "no connector"
    ratio = board.battery.batt_ratio_x100
    yield f"battery     {place}; divider {board.battery.divider}, batt_ratio_x100 = {ratio}"
