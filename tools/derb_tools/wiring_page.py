"""The part of docs/wiring.md that is made from the board files, and its pictures."""

from collections.abc import Iterator

from derb_tools.boards import Board, load_boards
from derb_tools.chips import CHIPS
from derb_tools.wiring import kinds_of, wires
from derb_tools.wiring_picture import picture


def pictures() -> dict[str, str]:
    """The name of every picture's file, and the picture."""
    return {
        f"{name}-{kind}.svg": picture(board, kind)
        for name, board in load_boards().items()
        for kind in kinds_of(board)
    }


def page() -> str:
    """A section a board: its pictures, its wires, what must be left alone."""
    return "\n".join(line for name, board in load_boards().items() for line in _section(name, board))


def _section(name: str, board: Board) -> Iterator[str]:
    yield f"## {board.name}"
    yield ""
    yield f"`{name}`, {board.chip}, {board.flash_mb} MB of flash"
    for kind in kinds_of(board):
        yield ""
        yield f"![{board.name} as {kind}](wiring/{name}-{kind}.svg)"
    yield ""
    if board.role == "node":
        yield from _table(board)
    if board.note:
        yield board.note
        yield ""
    yield f"Leave alone: {'; '.join(_unfit(board))}."
    yield ""


def _table(board: Board) -> Iterator[str]:
    yield "| node | board | part | |"
    yield "| --- | --- | --- | --- |"
    for kind in kinds_of(board):
        for wire in wires(board, kind):
            if wire.side == "sensor":
                resistors = f"; {wire.through} in the wire, {wire.down} to GND" if wire.through else ""
                yield f"| {kind} | {wire.board_pin} | {wire.part_pin} | {wire.why}{resistors} |"
    for wire in wires(board, kinds_of(board)[0]):
        if wire.side == "battery":
            resistors = f"; {wire.through} in the wire, {wire.down} to GND" if wire.through else ""
            yield f"| both | {wire.board_pin} | battery {wire.part_pin} | {wire.why}{resistors} |"
    yield ""


def _unfit(board: Board) -> Iterator[str]:
    reasons = {pin: why for pin, why in CHIPS[board.chip].refused.items() if pin in board.header}
    reasons |= {taken.pin: f"it belongs to {taken.by}" for taken in board.taken}
    for pin, why in sorted(reasons.items()):
        yield f"GPIO {pin}, {why.removeprefix('it is ').removeprefix('it ')}"
