"""What is soldered to what: the wires of a node or a relay, from its board file. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from derb_gateway.toml_model import nearest

from derb_tools.boards import Board
from derb_tools.errors import AskedWrong

Side = Literal["sensor", "battery"]
Colour = Literal["power", "ground", "signal"]

RANGER_RESISTORS = ("1 kohm", "2 kohm")
BATTERY_RESISTOR_KOHM = 1000
_SWITCH = "on a battery: by a load switch"
SENSOR_OF_KIND = {"parking": "magnetometer", "level": "HC-SR04"}


@dataclass(frozen=True)
class Part:
    """A sensor that is soldered otherwise than its kind usually is; `pins`: of supply, ground and what it says.

    `ranger`: the word of the node's setting.
    """

    title: str
    kind: str
    ranger: str = ""
    pins: tuple[str, str, str] = ("VIN", "GND", "")


PARTS = {
    "lis3mdl": Part("LIS3MDL", "parking"),
    **{
        name.lower(): Part(name, "parking")
        for name in ("MMC5983MA", "QMC5883P", "QMC5883L", "HMC5883L", "RM3100")
    },
    "hc-sr04": Part("HC-SR04", "level", "hcsr04"),
    "aj-sr04m": Part("AJ-SR04M", "level", "hcsr04", ("VCC", "GND", "ECHO")),
    "a02yyuw": Part("A02YYUW", "level", "a02yyuw", ("VCC", "GND", "TX")),
    "mb7389": Part("MB7389", "level", "maxbotix", ("V+", "GND", "5")),
}
USUAL = {"parking": "lis3mdl", "level": "hc-sr04"}


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


def wires(board: Board, kind: str, sensor: str | None = None) -> list[Wire]:
    """The wires of that kind of node on the board, with a sensor of PARTS. AskedWrong when they do not go together."""
    if kind not in kinds_of(board):
        raise AskedWrong(f"{board.name} cannot be {kind!r}; it can be {', '.join(kinds_of(board))}")
    fitting = [name for name, part in PARTS.items() if part.kind == kind]
    if sensor is not None and sensor not in fitting:
        raise AskedWrong(f"there is no sensor for {kind} {sensor!r}{nearest(sensor, fitting)}")
    if kind == "relay":
        return [*_relay(board), *_battery(board)]
    name = sensor or USUAL[kind]
    made = _magnetometer(board, name) if kind == "parking" else _ranger(board, name)
    return [*made, *_battery(board)]


def title(kind: str, sensor: str | None) -> str:
    """What stands at the other end of the wires."""
    return PARTS[sensor].title if sensor else SENSOR_OF_KIND.get(kind, "gateway")


def _magnetometer(board: Board, sensor: str) -> Iterator[Wire]:
    pins = board.pins.given()
    wake = f"wakes the board ({board.wake.method})" if board.wake else ""
    yield Wire("sensor", "3V3", "VIN", "power")
    yield Wire("sensor", "GND", "GND", "ground")
    yield Wire("sensor", f"GPIO {pins['i2c_scl']}", "SCL", "signal", "i2c_scl")
    yield Wire("sensor", f"GPIO {pins['i2c_sda']}", "SDA", "signal", "i2c_sda")
    if sensor == "lis3mdl":  # the only one whose interrupt the firmware uses
        yield Wire("sensor", f"GPIO {pins['int_pin']}", "INT", "signal", f"int_pin, {wake}")


def _ranger(board: Board, sensor: str) -> Iterator[Wire]:
    pins, part = board.pins.given(), PARTS[sensor]
    trig, echo = f"GPIO {pins['trig_pin']}", f"GPIO {pins['echo_pin']}"
    if sensor == "hc-sr04":
        series, ground = RANGER_RESISTORS
        yield Wire("sensor", "5 V", "VCC", "power", _SWITCH)
        yield Wire("sensor", "GND", "GND", "ground")
        yield Wire("sensor", trig, "TRIG", "signal", "trig_pin")
        yield Wire("sensor", echo, "ECHO", "signal", "echo_pin, 5 V made 3.3", series, ground)
        return
    supply, ground, says = part.pins
    speaks = part.ranger != "hcsr04"
    yield Wire("sensor", "3V3", supply, "power", _SWITCH if speaks else "")
    yield Wire("sensor", "GND", ground, "ground")
    if not speaks:
        yield Wire("sensor", trig, "TRIG", "signal", "trig_pin")
    yield Wire("sensor", echo, says, "signal", f"echo_pin, ranger = {part.ranger}" if speaks else "echo_pin")


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
