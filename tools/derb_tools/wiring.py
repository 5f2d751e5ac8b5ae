"""What is soldered to what: the wires of a node or a relay, from its board file. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from derb_tools.boards import Board
from derb_tools.errors import AskedWrong

Side = Literal["sensor", "battery"]
Colour = Literal["power", "ground", "signal"]

RANGER_RESISTORS = ("1 kohm", "2 kohm")
BATTERY_RESISTOR_KOHM = 1000
SENSOR_OF_KIND = {"parking": "magnetometer", "level": "HC-SR04"}


@dataclass(frozen=True)
class Wire:
    """One wire, from the board's pin to a part's; `through` and `down`: resistors in it, and from its board end to ground."""

    side: Side
    board_pin: str
    part_pin: str
    colour: Colour
    why: str = ""
    through: str = ""
    down: str = ""


def kinds_of(board: Board) -> list[str]:
    """The kinds of picture that a board has."""
    return ["relay"] if board.role == "relay" else board.serves()


def wires(board: Board, kind: str) -> list[Wire]:
    """The wires of that kind of node on the board. AskedWrong when the board cannot be one."""
    if kind not in kinds_of(board):
        raise AskedWrong(f"{board.name} cannot be {kind!r}; it can be {', '.join(kinds_of(board))}")
    made = {"parking": _magnetometer, "level": _ranger, "relay": _relay}[kind](board)
    return [*made, *_battery(board)]


def _magnetometer(board: Board) -> Iterator[Wire]:
    pins = board.pins.given()
    wake = f"wakes the board ({board.wake.method})" if board.wake else ""
    yield Wire("sensor", "3V3", "VIN", "power")
    yield Wire("sensor", "GND", "GND", "ground")
    yield Wire("sensor", f"GPIO {pins['i2c_scl']}", "SCL", "signal", "i2c_scl")
    yield Wire("sensor", f"GPIO {pins['i2c_sda']}", "SDA", "signal", "i2c_sda")
    yield Wire("sensor", f"GPIO {pins['int_pin']}", "INT", "signal", f"int_pin, {wake}")


def _ranger(board: Board) -> Iterator[Wire]:
    pins = board.pins.given()
    series, ground = RANGER_RESISTORS
    yield Wire("sensor", "5 V", "VCC", "power", "on a battery: by a load switch")
    yield Wire("sensor", "GND", "GND", "ground")
    yield Wire("sensor", f"GPIO {pins['trig_pin']}", "TRIG", "signal", "trig_pin")
    yield Wire(
        "sensor", f"GPIO {pins['echo_pin']}", "ECHO", "signal", "echo_pin, 5 V made 3.3", series, ground
    )


def _relay(_board: Board) -> Iterator[Wire]:
    yield Wire("sensor", "USB", "USB", "signal", "frames, and its power")


def _battery(board: Board) -> Iterator[Wire]:
    if board.battery is None:
        return
    yield Wire("battery", "BAT" if board.battery.connector else "5 V in", "+", "power")
    yield Wire("battery", "GND", "-", "ground")
    pin = board.pins.batt_pin
    if pin is not None and board.battery.divider == "external":
        upper = BATTERY_RESISTOR_KOHM * (board.battery.batt_ratio_x100 - 100) // 100
        yield Wire(
            "battery", f"GPIO {pin}", "+", "signal", "batt_pin", _ohms(upper), _ohms(BATTERY_RESISTOR_KOHM)
        )


def _ohms(kohm: int) -> str:
    return f"{kohm / 1000:g} Mohm" if kohm >= 1000 else f"{kohm} kohm"
