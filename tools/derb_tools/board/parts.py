"""What is wired to a simulated board, and the radio site it stands in; the hardware is in `mpy/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Lis3mdl:
    """A magnetometer on I2C, fed from a `*.mag` recording whose sample 0 is at street time `start_ms`.

    `noise_nt` is the chip's rms noise per axis; `answers=False` is a broken wire.
    """

    recording: Path
    scl: int = 22
    sda: int = 21
    int_pin: int | None = None
    address: int = 0x1C
    start_ms: int = 0
    noise_nt: int = 0
    seed: int = 1
    answers: bool = True


@dataclass(frozen=True)
class HcSr04:
    """An ultrasonic ranger fed from an `*.echo` recording. `answers=False`: its echo pin stays low."""

    recording: Path
    trig: int = 25
    echo: int = 26
    start_ms: int = 0
    answers: bool = True


@dataclass(frozen=True)
class Lis3dh:
    """An accelerometer on I2C. `course`: (street_ms, x_mg, y_mg, z_mg) in order, the first in force from the beginning."""

    course: tuple[tuple[int, int, int, int], ...] = ((0, 0, 0, 1000),)
    scl: int = 22
    sda: int = 21
    int_pin: int | None = None
    address: int = 0x18
    answers: bool = True


@dataclass(frozen=True)
class UartRanger:
    """An ultrasonic ranger that speaks to pin `rx`, fed from an `*.echo` recording; `power`: the pin of its load switch."""

    kind: Literal["a02yyuw", "maxbotix"]
    recording: Path
    rx: int = 26
    power: int | None = None
    start_ms: int = 0
    answers: bool = True


@dataclass(frozen=True)
class Ds18b20:
    """A thermometer on a wire. `course`: (street_ms, temp_c100) in order, the first in force from the beginning."""

    pin: int
    course: tuple[tuple[int, int], ...] = ((0, 2000),)
    answers: bool = True


@dataclass(frozen=True)
class Battery:
    """A voltage at an ADC pin, as it is at the pin (after any divider)."""

    mv: int
    pin: int = 35


@dataclass(frozen=True)
class Level:
    """A digital input driven from outside: `changes` are (street_ms, level), in order."""

    pin: int
    at_rest: int = 1
    changes: tuple[tuple[int, int], ...] = ()


Part = Lis3mdl | Lis3dh | HcSr04 | UartRanger | Ds18b20 | Battery | Level

_NAMES: dict[type, str] = {
    Lis3mdl: "lis3mdl",
    Lis3dh: "lis3dh",
    HcSr04: "hcsr04",
    UartRanger: "uart_ranger",
    Ds18b20: "ds18b20",
    Battery: "battery",
    Level: "level",
}


@dataclass(frozen=True)
class Site:
    """The Wi-Fi and the names a board finds. `hosts`: name or address -> (host, port) on this laptop.

    `ap_down_after_ms`: so long after the start of a wake the access point goes away.
    """

    ssid: str = "derb"
    psk: str = "derb-street"
    ap_up: bool = True
    ap_down_after_ms: int | None = None
    channel: int = 6
    rssi_dbm: int = -61
    associate_ms: int = 600
    dhcp_ms: int = 900
    hosts: Mapping[str, tuple[str, int]] = field(default_factory=dict)


Fault = Literal["ok", "stall", "fail"]


@dataclass(frozen=True)
class Faults:
    """What is wrong with the network in one wake. A stall costs no real time: the board's clock jumps.

    `dns="stall"` waits for ever, as `getaddrinfo()` has no timeout; `read="stall"`: nothing more comes in
    or goes out. `espnow_no_mem_after`: after so many packets the driver has no memory until Wi-Fi is started
    anew. `espnow_deaf_every`: each so-many-eth packet is gone without an error.
    """

    dns: Fault = "ok"
    connect: Fault = "ok"
    read: Fault = "ok"
    espnow_no_mem_after: int | None = None
    espnow_deaf_every: int | None = None


def wiring(parts: list[Part], chip_state: Path) -> list[dict[str, object]]:
    """The parts as the board's boot harness wants them."""
    described = []
    for part in parts:
        fields = {
            name: str(value) if isinstance(value, Path) else value for name, value in asdict(part).items()
        }
        fields["part"] = _NAMES[type(part)]
        if isinstance(part, Lis3mdl):
            fields["state"] = str(chip_state)
        if isinstance(part, Lis3dh):
            fields["state"] = str(chip_state.with_name("lis3dh"))
        described.append(fields)
    return described


def radio(site: Site) -> dict[str, object]:
    """The site's Wi-Fi as the boot harness wants it."""
    fields = asdict(site)
    del fields["hosts"]
    return fields
