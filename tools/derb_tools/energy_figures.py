"""Every number the energy model starts from, with where it comes from. Nothing here was measured for Derb.

Charges are what flows from the supply in microcoulomb, currents in microampere or milliampere, times in milliseconds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

# github.com/glenn20/upy-esp32-experiments, measured with a Nordic PPK2 at 5 V USB. Its ESP32 board drew 15 mA besides.
GLENN20_BOOT = "glenn20 (boot time)"
GLENN20_RADIO = "glenn20 (radio)"


class Basis(StrEnum):
    """How far a figure can be trusted."""

    MEASURED = "measured elsewhere"
    DATA_SHEET = "data sheet"
    FIRMWARE = "firmware"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Figure:
    """One number; its unit is in the name it is stored under."""

    value: float
    basis: Basis
    source: str


FIGURES = {
    "own_work_ms": Figure(
        200, Basis.ASSUMED, "import of derb/*.mpy, configuration, outbox, log; not measured on a board"
    ),
    "frozen_work_ms": Figure(
        50, Basis.ASSUMED, "the same frozen into the image and run before the file system is mounted"
    ),
    "sample_ms": Figure(
        12, Basis.ASSUMED, "one magnetometer sample: two I2C transfers and one step of the detection"
    ),
    "ping_ms": Figure(
        70, Basis.FIRMWARE, "60 ms between pings (firmware/derb/drivers/hcsr04.py) and 10 ms of echo, awake"
    ),
    "car_samples": Figure(
        20,
        Basis.ASSUMED,
        "a car parks or leaves in 8 to 28 s, median 15 s (RDVD recordings), then 3 s of rest; 1 Hz",
    ),
    "passer_samples": Figure(8, Basis.ASSUMED, "what drives past is over in 5 s, then 3 s of rest; 1 Hz"),
    "heartbeat_samples": Figure(
        2, Basis.FIRMWARE, "firmware/derb/bay.py: never fewer than two samples a wake"
    ),
    "wifi_dhcp_uc": Figure(
        201_000, Basis.MEASURED, f"{GLENN20_RADIO}: 204.3 mC less a boot of 3.32 mC, 1.56 s"
    ),
    "wifi_fixed_uc": Figure(
        96_900, Basis.MEASURED, f"{GLENN20_RADIO}: 100.2 mC less a boot of 3.32 mC, 0.66 s"
    ),
    "lease_s": Figure(
        21_600, Basis.FIRMWARE, "firmware/derb/config.py: an address that DHCP gave is used again for so long"
    ),
    "mqtt_uc": Figure(
        8_400, Basis.MEASURED, f"{GLENN20_RADIO}: 108.6 mC with umqtt connect and QoS 0, less 100.2 mC"
    ),
    "wifi_receipt_uc": Figure(
        20_000,
        Basis.ASSUMED,
        "QoS 1, subscribe and the wait for the receipt: 200 ms of listening at 100 mA (data sheet)",
    ),
    "espnow_uc": Figure(
        4_360, Basis.MEASURED, f"{GLENN20_RADIO}: 7.68 mC acknowledged, less a boot of 3.32 mC"
    ),
    "espnow_receipt_uc": Figure(
        10_000, Basis.ASSUMED, "the relay's way to the gateway's disk and back: 100 ms of listening at 100 mA"
    ),
    "wifi_failed_uc": Figure(
        1_800_000, Basis.ASSUMED, "no gateway: awake_ms = 15 s with the radio searching at 120 mA"
    ),
    "espnow_failed_uc": Figure(
        12_100, Basis.MEASURED, f"{GLENN20_RADIO}: 15.4 mC with the peer missing, less a boot"
    ),
}


@dataclass(frozen=True)
class ChipFigures:
    """What one chip draws: at a stock MicroPython boot, at a frozen one, awake without radio, in light and in deep sleep."""

    boot_uc: Figure
    frozen_boot_uc: Figure
    awake_ma: Figure
    light_sleep_ua: Figure
    deep_sleep_ua: Figure


_S3_BOOT = Figure(
    26_500, Basis.MEASURED, f"{GLENN20_BOOT}: 418 ms, image validation skipped as it is by default today"
)
_S3_FROZEN = Figure(1_820, Basis.MEASURED, f"{GLENN20_BOOT}: 48.8 ms")
_STAND_IN = "no figure found for this chip; the ESP32-S3's stands in. "


def _sheet(value: float) -> Figure:
    return Figure(
        value, Basis.DATA_SHEET, "the usual data-sheet figure, not looked up again; measured boards draw more"
    )


def _unmeasured(awake_ma: float, light_sleep_ua: float, deep_sleep_ua: float) -> ChipFigures:
    boot = Figure(_S3_BOOT.value, Basis.ASSUMED, _STAND_IN + _S3_BOOT.source)
    frozen = Figure(_S3_FROZEN.value, Basis.ASSUMED, _STAND_IN + _S3_FROZEN.source)
    return ChipFigures(boot, frozen, _sheet(awake_ma), _sheet(light_sleep_ua), _sheet(deep_sleep_ua))


CHIP_FIGURES = {
    "esp32": ChipFigures(
        Figure(
            28_000,
            Basis.ASSUMED,
            "the ESP32-S3's 26.5 mC with the 1.5 mC more that an ESP32 needed when frozen (glenn20)",
        ),
        Figure(3_320, Basis.MEASURED, f"{GLENN20_BOOT}: 70 ms on an ESP32 with 15 mA of other parts"),
        Figure(
            40, Basis.MEASURED, "lucidar.me: 42 mA on a FireBeetle, awake and waiting; 40 is the usual figure"
        ),
        Figure(
            1_600,
            Basis.MEASURED,
            "github.com/grillbaer/esp32-power-consumption-test, EzSBC; the data sheet says 800",
        ),
        _sheet(10),
    ),
    "esp32s3": ChipFigures(
        _S3_BOOT,
        _S3_FROZEN,
        Figure(32, Basis.MEASURED, "lucidar.me: 31.7 mA on a DevKitM-1 at 3.3 V, awake and waiting"),
        Figure(1_900, Basis.MEASURED, "esp32.com t=41048: 1.9 mA on a custom board; the data sheet says 240"),
        _sheet(7),
    ),
    "esp32s2": _unmeasured(22, 750, 25),
    "esp32c3": _unmeasured(24, 130, 5),
    "esp32c6": _unmeasured(27, 180, 7),
}


@dataclass(frozen=True)
class Sensor:
    """A sensor as wired: what it draws all the time, and beside that while it measures, at its own supply.

    `each_ms`: awake for a ping or a sample; None: as the figures say. `wakes`: it can wake the board.
    """

    name: str
    kind: str
    standby_ua: float
    working_ma: float
    boosted: bool
    source: str
    each_ms: float | None = None
    wakes: bool = True


def _switched(sensor: Sensor) -> Sensor:
    return replace(
        sensor,
        name=f"{sensor.name}-switched",
        standby_ua=1,
        working_ma=sensor.working_ma or sensor.standby_ua / 1000,
        source="the same behind a load switch (`ranger_power_pin`, never tried on a board); 1 uA assumed for the switch",
    )


_HC_SR04 = Sensor(
    "hc-sr04",
    "level",
    2_000,
    15,
    True,
    "maker's table: quiescent below 2 mA, working 15 mA, 5 V, never switched off",
)
_A02YYUW = Sensor(
    "a02yyuw",
    "level",
    8_000,
    0,
    False,
    "maker's page (not looked up again): below 8 mA on average, a frame each 100 to 300 ms without rest; 200 ms taken",
    200,
)
_MB7389 = Sensor(
    "mb7389",
    "level",
    2_300,
    0,
    False,
    "MaxBotix PD11500: a range each 150 ms without rest; 2.3 mA at 3.3 V not looked up again",
    150,
)

SENSORS = {
    sensor.name: sensor
    for sensor in (
        Sensor(
            "lis3mdl",
            "parking",
            18,
            0,
            False,
            "ST DocID024204 (not looked up again): 270 uA at 20 Hz, ultra-high performance; in proportion at 1.25 Hz, and 1 uA",
        ),
        Sensor(
            "rm3100",
            "parking",
            1,
            0,
            False,
            "PNI 1017252 (not looked up again): below 1 uA idle; a sample of 200 cycles takes 7 ms and the bus",
            each_ms=12,
            wakes=False,
        ),
        Sensor(
            "mmc5983ma",
            "parking",
            1,
            0,
            False,
            "MEMSIC Rev A (not looked up again): 1 uA powered down; SET, RESET and two samples take 25 ms",
            each_ms=30,
            wakes=False,
        ),
        Sensor(
            "qmc5883l",
            "parking",
            3,
            0,
            False,
            "QST 1.0 (not looked up again): 3 uA on standby; of two samples the first takes 100 ms",
            each_ms=60,
            wakes=False,
        ),
        _HC_SR04,
        _switched(_HC_SR04),
        _A02YYUW,
        _switched(_A02YYUW),
        _MB7389,
        _switched(_MB7389),
        Sensor(
            "aj-sr04m",
            "level",
            40,
            30,
            False,
            "maker's manual, mode 2 (300 kohm at R19): below 40 uA idle, 30 mA working, 3 to 5.5 V",
        ),
    )
}
BOOST = Figure(1.6, Basis.ASSUMED, "5 V from a 3.7 V cell through a converter of 85 %: 5 / 3.7 / 0.85")


@dataclass(frozen=True)
class Chemistry:
    """A kind of battery: what of its capacity can be used, and what it loses by itself."""

    name: str
    usual_mah: float
    usable: float
    loss_per_year: float
    source: str


CHEMISTRIES = {
    chemistry.name: chemistry
    for chemistry in (
        Chemistry(
            "li-ion",
            3_000,
            0.85,
            0.36,
            "one 18650 or LiPo: 1 to 2 % a month and up to 3 % more for its protection (Battery University BU-802b); 3 % taken",
        ),
        Chemistry(
            "li-socl2",
            19_000,
            0.80,
            0.01,
            "one D cell: below 1 % a year (Saft, Tadiran). A bobbin cell needs a capacitor for the 550 mA of a transmission",
        ),
        Chemistry(
            "alkaline",
            12_000,
            0.70,
            0.03,
            "three D cells in series; about 3 % a year at 20 C, far more in the heat",
        ),
    )
}
