"""Board descriptions, one TOML a board: read strictly, every mistake told at once with its file, key and remedy."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from derb_gateway.errors import ConfigError
from derb_gateway.toml_model import Settings, at_line, nearest, parse_toml, read_text
from pydantic import Field, model_validator

from derb_tools.chips import CHIPS
from derb_tools.errors import AskedWrong, BoardFileError
from derb_tools.firmware_files import boards_dir
from derb_tools.flash.partitions import layout_problems
from derb_tools.pin_rules import pin_problems

Gpio = Annotated[int, Field(ge=0, le=48)]
Words = Annotated[str, Field(min_length=3)]
UsbId = Annotated[str, Field(pattern="^[0-9a-f]{4}:[0-9a-f]{4}$")]
Current = Annotated[float, Field(ge=0, le=100_000)]

ChipName = Literal["esp32", "esp32s2", "esp32s3", "esp32c3", "esp32c6"]


class Pins(Settings):
    """Which GPIO does what; the names are those of a node's configuration."""

    i2c_scl: Gpio | None = None
    i2c_sda: Gpio | None = None
    int_pin: Gpio | None = None
    trig_pin: Gpio | None = None
    echo_pin: Gpio | None = None
    batt_pin: Gpio | None = None

    @model_validator(mode="after")
    def _pairs(self) -> "Pins":
        for one, other in (("i2c_scl", "i2c_sda"), ("trig_pin", "echo_pin")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} come together: give both or neither")
        return self

    def given(self) -> dict[str, int]:
        """The uses that have a pin."""
        return {key: pin for key, pin in self.model_dump().items() if pin is not None}


class Battery(Settings):
    """How the board takes a battery and measures it."""

    connector: bool
    divider: Literal["on board", "external", "none"]
    batt_ratio_x100: int = Field(ge=100, le=2000)


class Wake(Settings):
    """How a pin wakes the board from deep sleep: MicroPython's esp32.wake_on_<method>."""

    method: Literal["ext0", "ext1", "gpio"]
    pins: list[Gpio] = Field(min_length=1)


class Mend(Settings):
    """What a technician can do against a bad sleep current, and what it brings."""

    sleep_current_ua: Current
    how: Words
    source: Words


class Taken(Settings):
    """A pin that the board itself uses."""

    pin: Gpio
    by: Words


class Place(Settings):
    """Where a partition is on flash, in bytes."""

    at: int = Field(ge=0)
    size: int = Field(gt=0)


class Layout(Settings):
    """The partitions of the flash: settings, radio calibration, MicroPython, file system."""

    nvs: Place
    phy_init: Place
    app: Place
    vfs: Place

    def places(self) -> dict[str, tuple[int, int]]:
        """(offset, size) of each partition, by its key here."""
        return {key: (place["at"], place["size"]) for key, place in self.model_dump().items()}


class Board(Settings):
    """One board. `usb`: vendor:product of its serial port, as the system tells them.

    `sleep_current_ua` is the whole board's in deep sleep, at its battery input.
    """

    name: Words
    chip: ChipName
    image: Words
    role: Literal["node", "relay"]
    flash_mb: Literal[2, 4, 8, 16, 32]
    header: list[Gpio] = Field(min_length=1)
    usb: list[UsbId] = Field(min_length=1)
    layout: Layout
    sleep_current_ua: Current
    sleep_basis: Literal["measured", "maker", "estimated", "not asked"]
    sleep_source: Words
    sleep_note: Words
    note: str = ""
    pins: Pins = Pins()
    battery: Battery | None = None
    wake: Wake | None = None
    mend: Mend | None = None
    taken: list[Taken] = Field(default_factory=list)

    @model_validator(mode="after")
    def _whole(self) -> "Board":
        if self.role == "node":
            missing = [key for key in ("battery", "wake") if getattr(self, key) is None]
            if missing:
                raise ValueError(f"a node's board needs [{missing[0]}]; or is its role relay?")
            if not self.pins.given():
                raise ValueError("a node's board needs [pins]; or is its role relay?")
            if self.sleep_basis == "not asked":
                raise ValueError("a node's board needs a sleep current: give sleep_basis and its source")
        if self.mend and self.mend.sleep_current_ua >= self.sleep_current_ua:
            raise ValueError(
                "mend.sleep_current_ua must be below sleep_current_ua, or there is nothing to mend"
            )
        return self

    @property
    def flash_bytes(self) -> int:
        return self.flash_mb << 20

    def serves(self) -> list[str]:
        """The kinds of node whose sensors it has pins for."""
        given = self.pins.given()
        kinds = {"parking": {"i2c_scl", "i2c_sda", "int_pin"}, "level": {"trig_pin", "echo_pin"}}
        return [kind for kind, keys in kinds.items() if keys <= set(given)]


def load_board(name: str, folder: Path | None = None) -> Board:
    """The board whose file is called `name`. Raises BoardFileError, or AskedWrong with the nearest name there is."""
    path = (folder or boards_dir()) / f"{name}.toml"
    if not path.is_file():
        raise AskedWrong(f"there is no board {name!r}{nearest(name, board_names(folder))}")
    return read_board(path)


def load_boards(folder: Path | None = None) -> dict[str, Board]:
    """All boards by the name of their file. Raises BoardFileError with the mistakes of all files."""
    boards: dict[str, Board] = {}
    problems: list[str] = []
    for name in board_names(folder):
        try:
            boards[name] = load_board(name, folder)
        except BoardFileError as error:
            problems += error.problems
    if problems:
        raise BoardFileError(problems)
    return boards


def board_names(folder: Path | None = None) -> list[str]:
    """The names that `load_board` knows."""
    return sorted(path.stem for path in (folder or boards_dir()).glob("*.toml"))


def read_board(path: Path) -> Board:
    """One file, checked. Raises BoardFileError with everything that is wrong in it."""
    problems: list[str] = []
    board = None
    text = ""
    try:
        text = read_text(path)
        board = parse_toml(text, path, Board)
    except ConfigError as error:
        problems += error.problems
    # Pins are judged even in a file whose other keys are wrong, so that one look mends it all.
    found = _pin_problems(_raw(text))
    if board is not None:
        places = layout_problems(board.layout.places(), board.flash_bytes)
        found += [f"layout.{problem}" for problem in places]
    problems += [f"{at_line(path, text, each.partition(':')[0].split('.'))}: {each}" for each in found]
    if board is None or problems:
        raise BoardFileError(problems)
    return board


def _raw(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}  # parse_toml has said so


def _pin_problems(table: Mapping[str, Any]) -> list[str]:
    chip = CHIPS.get(str(table.get("chip")))
    if chip is None:
        return []
    header = _numbers(table.get("header"))
    taken = {
        entry["pin"]: str(entry.get("by"))
        for entry in _tables(table.get("taken"))
        if _is_pin(entry.get("pin"))
    }
    asked = {
        key: pin
        for key, pin in _table(table.get("pins")).items()
        if key in Pins.model_fields and _is_pin(pin)
    }
    found = [f"pins.{key}: {why}" for key, why in pin_problems(chip, asked, header, taken).items()]
    wake = _table(table.get("wake"))
    if wake.get("method") in ("ext0", "ext1", "gpio") and wake["method"] not in chip.wake_methods:
        found.append(
            f"wake.method: the {chip.name} has no {wake['method']}; it has {', '.join(chip.wake_methods)}"
        )
    wakers = _numbers(wake.get("pins"))
    found += [f"wake.pins: GPIO {pin} cannot wake the {chip.name}" for pin in wakers if pin not in chip.wake]
    if wakers and asked.get("int_pin") in chip.wake and asked["int_pin"] not in wakers:
        found.append(
            f"pins.int_pin: GPIO {asked['int_pin']} is not in wake.pins; add it there, or choose one of them"
        )
    return found


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _numbers(value: object) -> list[int]:
    return [entry for entry in value if _is_pin(entry)] if isinstance(value, list) else []


def _is_pin(value: object) -> bool:
    return type(value) is int and value >= 0
