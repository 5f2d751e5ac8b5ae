"""From what a person asks, in names of boards, sensors and batteries, to a setup the model can reckon with."""

import re
from dataclasses import dataclass

from derb_gateway.toml_model import nearest

from derb_tools.boards import Board
from derb_tools.energy_figures import CHEMISTRIES, SENSORS, Sensor
from derb_tools.energy_model import Setup
from derb_tools.errors import AskedWrong

_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600}
LEAST_S, MOST_S = 5, 86_400  # as firmware/derb/config.py bounds wake_s


@dataclass(frozen=True)
class Usual:
    """What is taken for a kind of node when nothing is said."""

    every_s: int
    events_per_day: float
    passers_per_day: float
    sensor: str


USUAL = {"parking": Usual(300, 10, 30, "lis3mdl"), "level": Usual(1800, 1, 0, "hc-sr04")}
REPORT_EVERY = 4
QUIETER = {name: f"{name}-switched" for name in SENSORS if f"{name}-switched" in SENSORS}


@dataclass(frozen=True)
class Asked:
    """The question; None means the usual."""

    kind: str = "parking"
    link: str = "wifi"
    every_s: int | None = None
    events_per_day: float | None = None
    passers_per_day: float | None = None
    report_every: int | None = None
    sensor: str | None = None
    battery: str = "li-ion"
    battery_mah: float | None = None
    failed_share: float = 0
    fixed_address: bool = False
    frozen: bool = False
    mended: bool = False


def make_setup(board: Board, asked: Asked) -> Setup:
    """The setup for the model. Raises AskedWrong when board, kind, sensor or battery do not go together."""
    _refuse_idle(asked)
    usual = USUAL[asked.kind]
    chemistry = CHEMISTRIES[_known(asked.battery, list(CHEMISTRIES), "battery")]
    parking = asked.kind == "parking"
    return Setup(
        chip=board.chip,
        board_sleep_ua=_sleep_ua(board, asked),
        kind=asked.kind,
        link=asked.link,
        sensor=_sensor(asked),
        chemistry=chemistry,
        battery_mah=_or(asked.battery_mah, chemistry.usual_mah),
        every_s=usual.every_s if asked.every_s is None else asked.every_s,
        events_per_day=_or(asked.events_per_day, usual.events_per_day),
        passers_per_day=_or(asked.passers_per_day, usual.passers_per_day) if parking else 0,
        report_every=REPORT_EVERY if asked.report_every is None else asked.report_every,
        failed_share=asked.failed_share,
        fixed_address=asked.fixed_address,
        frozen=asked.frozen,
    )


def _refuse_idle(asked: Asked) -> None:
    """Nobody shall take a figure for one that an option has changed. Raises AskedWrong."""
    for given, serves, option, of in (
        (asked.passers_per_day is not None, asked.kind == "parking", "--passers-per-day", "--kind parking"),
        (asked.report_every is not None, asked.kind == "level", "--report-every", "--kind level"),
        (asked.fixed_address, asked.link == "wifi", "--fixed-address", "--link wifi"),
    ):
        if given and not serves:
            raise AskedWrong(f"{option} changes nothing without {of}: leave it out")


def quieter_sensor(setup: Setup) -> Sensor | None:
    """The same sensor with less standby, where there is one."""
    name = QUIETER.get(setup.sensor.name)
    return SENSORS[name] if name else None


def seconds(text: str) -> int:
    """90, 90s, 5m or 1h in seconds. Raises AskedWrong."""
    found = re.fullmatch(r"(\d{1,6})\s*([smh]?)", text.strip())
    if not found:
        raise AskedWrong(f"--every {text!r} is not a time: write 90s, 5m or 1h")
    every_s = int(found[1]) * _UNITS_S[found[2]]
    if not LEAST_S <= every_s <= MOST_S:
        raise AskedWrong(
            f"--every {text!r} is out of range: a node wakes every {LEAST_S} s to {MOST_S // 3600} h (wake_s)"
        )
    return every_s


def _sleep_ua(board: Board, asked: Asked) -> float:
    if board.role == "relay":
        raise AskedWrong(
            f"{board.name} is a relay on mains: it has no battery life; `derb boards` lists boards for nodes"
        )
    if asked.kind not in board.serves():
        raise AskedWrong(
            f"{board.name} has no pins for a {asked.kind} node (`derb boards` says what each is for)"
        )
    if not asked.mended:
        return board.sleep_current_ua
    if board.mend is None:
        raise AskedWrong(f"nothing is known that would mend the sleep of {board.name}: leave out --mended")
    return board.mend.sleep_current_ua


def _sensor(asked: Asked) -> Sensor:
    fitting = [name for name, sensor in SENSORS.items() if sensor.kind == asked.kind]
    return SENSORS[_known(asked.sensor or USUAL[asked.kind].sensor, fitting, f"sensor for {asked.kind}")]


def _known(name: str, known: list[str], what: str) -> str:
    if name not in known:
        raise AskedWrong(f"there is no {what} {name!r}{nearest(name, known)}")
    return name


def _or(given: float | None, usual: float) -> float:
    return usual if given is None else given
