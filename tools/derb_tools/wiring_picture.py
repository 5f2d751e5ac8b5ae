"""A wiring picture as SVG: the board in the middle, its battery on the left, its sensor on the right, a straight wire a row."""

from collections.abc import Iterator
from html import escape

from derb_tools.boards import Board
from derb_tools.wiring import Colour, Wire, title, wires

WIDTH = 1010
_ROW = 58
_TOP = 84
_BATTERY = (20, 110)  # left edge and width, and so on
_BOARD = (400, 210)
_SENSOR = (870, 120)
_RESISTOR_HIGH = 22
_DROP = 27
_SERIES_AT, _DOWN_AT = 200, 78  # from the board's edge
_COLOURS: dict[Colour, str] = {"power": "#c0392b", "ground": "#222222", "signal": "#1f6fb2"}
_FONT = "font-family='DejaVu Sans, Helvetica, sans-serif'"


def picture(board: Board, kind: str, sensor: str | None = None) -> str:
    """The picture of that kind of node on the board. AskedWrong when they do not go together."""
    drawn = wires(board, kind, sensor)
    left = [wire for wire in drawn if wire.side == "battery"]
    right = [wire for wire in drawn if wire.side == "sensor"]
    height = _TOP + _ROW * max(len(left), len(right)) + 52
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' {_FONT} font-size='13'>",
            f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
            _text(20, 28, f"{board.name}: {kind}", size=17),
            _box(*_BOARD, height, board.name.partition(" (")[0], board.chip),
            *_parts(title(kind, sensor), height, with_battery=bool(left)),
            *(line for row, wire in enumerate(left) for line in _left(wire, _TOP + _ROW * (row + 1))),
            *(line for row, wire in enumerate(right) for line in _right(wire, _TOP + _ROW * (row + 1))),
            "</svg>",
            "",
        ]
    )


def _parts(sensor: str, height: int, *, with_battery: bool) -> Iterator[str]:
    yield _box(*_SENSOR, height, sensor, "")
    if with_battery:
        yield _box(*_BATTERY, height, "battery", "")


def _left(wire: Wire, y: int) -> Iterator[str]:
    yield from _wire(wire, _BOARD[0], _BATTERY[0] + _BATTERY[1], y)
    yield _text(_BOARD[0] + 8, y + 5, wire.board_pin)
    yield _text(_BATTERY[0] + _BATTERY[1] - 8, y + 5, wire.part_pin, anchor="end")


def _right(wire: Wire, y: int) -> Iterator[str]:
    yield from _wire(wire, _BOARD[0] + _BOARD[1], _SENSOR[0], y)
    yield _text(_BOARD[0] + _BOARD[1] - 8, y + 5, wire.board_pin, anchor="end")
    yield _text(_SENSOR[0] + 8, y + 5, wire.part_pin)


def _wire(wire: Wire, at_board: int, at_part: int, y: int) -> Iterator[str]:
    colour = _COLOURS[wire.colour]
    yield f"<line x1='{at_board}' y1='{y}' x2='{at_part}' y2='{y}' stroke='{colour}' stroke-width='2.5'/>"
    if wire.why:
        yield _text(
            (at_board + at_part) // 2, y - (16 if wire.through else 7), wire.why, anchor="middle", size=11
        )
    if wire.through:
        toward = 1 if at_part > at_board else -1
        yield _resistor(at_board + toward * _SERIES_AT, y, wire.through)
        yield from _to_ground(at_board + toward * _DOWN_AT, y, wire.down)


def _to_ground(x: int, y: int, value: str) -> Iterator[str]:
    """A resistor that hangs from the wire, on its board side of the other one."""
    below = y + _DROP
    yield f"<circle cx='{x}' cy='{y}' r='4' fill='{_COLOURS['signal']}'/>"
    yield f"<line x1='{x}' y1='{y}' x2='{x}' y2='{below}' stroke='{_COLOURS['signal']}' stroke-width='2.5'/>"
    yield _resistor(x, below, f"{value} to GND")


def _resistor(x: int, y: int, value: str) -> str:
    width, height = 22 + 7 * len(value), _RESISTOR_HIGH
    return (
        f"<rect x='{x - width // 2}' y='{y - height // 2}' width='{width}' height='{height}' rx='3' fill='#f5e6c8' "
        f"stroke='#7a5c1e'/>{_text(x, y + 4, value, anchor='middle', size=11)}"
    )


def _box(x: int, width: int, height: int, title: str, under: str) -> str:
    top = _TOP - 30
    return (
        f"<rect x='{x}' y='{top}' width='{width}' height='{height - top - 12}' rx='8' fill='#eef3ee' stroke='#44574a'/>"
        + _text(x + width // 2, top + 20, title, anchor="middle")
        + (_text(x + width // 2, top + 36, under, anchor="middle", size=11) if under else "")
    )


def _text(x: int, y: int, words: str, *, anchor: str = "start", size: int = 13) -> str:
    return f"<text x='{x}' y='{y}' text-anchor='{anchor}' font-size='{size}' fill='#111111'>{escape(words)}</text>"
