"""The pins of each ESP32: which ones a sensor may use, and why not the others.

After the data sheets' pin overviews and strapping sections; written down from knowledge of them, not tried on chips.
"""

from dataclasses import dataclass

_FLASH = "it belongs to the flash chip"
_USB = "it is USB"
_CONSOLE = "it is the serial console"


@dataclass(frozen=True)
class Chip:
    """One chip's pins. `refused`: pins that are never a sensor's, each with its reason."""

    name: str
    pins: frozenset[int]
    refused: dict[int, str]
    input_only: frozenset[int]
    adc1: frozenset[int]
    adc2: frozenset[int]
    wake: frozenset[int]
    wake_methods: tuple[str, ...]


def _strapping(pins: dict[int, str]) -> dict[int, str]:
    return {pin: f"it is a strapping pin: {what} at reset" for pin, what in pins.items()}


def _all(pins: range | tuple[int, ...], why: str) -> dict[int, str]:
    return dict.fromkeys(pins, why)


_ESP32 = Chip(
    "esp32",
    frozenset({*range(24), 25, 26, 27, *range(32, 40)}) - {20},
    _all(range(6, 12), _FLASH)
    | _all((1, 3), _CONSOLE)
    | _strapping(
        {
            0: "low starts the loader",
            2: "high hinders the loader",
            5: "it sets SDIO timing",
            12: "high sets the flash to 1.8 V",
            15: "low silences the boot messages",
        }
    ),
    frozenset(range(34, 40)),
    frozenset(range(32, 40)),
    frozenset({0, 2, 4, 12, 13, 14, 15, 25, 26, 27}),
    frozenset({0, 2, 4, 12, 13, 14, 15, 25, 26, 27, *range(32, 40)}),
    ("ext0", "ext1"),
)

_ESP32S2 = Chip(
    "esp32s2",
    frozenset({*range(22), *range(26, 47)}),
    _all(range(26, 33), _FLASH)
    | _all((19, 20), _USB)
    | _all((43, 44), _CONSOLE)
    | _strapping(
        {0: "low starts the loader", 45: "it sets the flash voltage", 46: "high hinders the loader"}
    ),
    frozenset({46}),
    frozenset(range(1, 11)),
    frozenset(range(11, 21)),
    frozenset(range(22)),
    ("ext0", "ext1"),
)

_ESP32S3 = Chip(
    "esp32s3",
    frozenset({*range(22), *range(26, 49)}),
    _all(range(26, 33), _FLASH)
    | _all((19, 20), _USB)
    | _all((43, 44), _CONSOLE)
    | _strapping(
        {
            0: "low starts the loader",
            3: "it chooses the JTAG source",
            45: "it sets the flash voltage",
            46: "high hinders the loader",
        }
    ),
    frozenset(),
    frozenset(range(1, 11)),
    frozenset(range(11, 21)),
    frozenset(range(22)),
    ("ext0", "ext1"),
)

_ESP32C3 = Chip(
    "esp32c3",
    frozenset(range(22)),
    _all(range(11, 18), _FLASH)
    | _all((18, 19), _USB)
    | _all((20, 21), _CONSOLE)
    | _strapping(
        {2: "low hinders the start", 8: "low hinders the loader", 9: "low starts the loader"},
    ),
    frozenset(),
    frozenset(range(5)),
    frozenset({5}),
    frozenset(range(6)),
    ("gpio",),
)

_ESP32C6 = Chip(
    "esp32c6",
    frozenset(range(31)),
    _all(range(24, 31), _FLASH)
    | _all((12, 13), _USB)
    | _all((16, 17), _CONSOLE)
    | _strapping(
        {
            4: "it sets SDIO sampling",
            5: "it sets SDIO driving",
            8: "low hinders the loader",
            9: "low starts the loader",
            15: "it chooses the JTAG source",
        }
    ),
    frozenset(),
    frozenset(range(7)),
    frozenset(),
    frozenset(range(8)),
    ("ext1", "gpio"),
)

CHIPS = {chip.name: chip for chip in (_ESP32, _ESP32S2, _ESP32S3, _ESP32C3, _ESP32C6)}
