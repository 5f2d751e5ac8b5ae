"""Why a pin cannot do what a board file asks of it. Pure: plain numbers in, sentences out."""

from collections.abc import Iterable, Mapping, Sequence

from derb_tools.chips import Chip

OUTPUTS = ("i2c_scl", "i2c_sda", "trig_pin")
ANALOGUE = ("batt_pin",)
WAKING = ("int_pin",)


def pin_problems(
    chip: Chip,
    pins: Mapping[str, int],
    header: Sequence[int],
    taken: Mapping[int, str],
) -> dict[str, str]:
    """What is wrong with each use of a pin, by key, with the pins that would do; empty when all is well."""
    used_elsewhere = {
        key: [other for other in pins if other != key and pins[other] == pins[key]] for key in pins
    }
    problems = {}
    for key, pin in pins.items():
        why = refusal(chip, key, pin, header, taken)
        if not why and used_elsewhere[key]:
            why = f"{used_elsewhere[key][0]} has it already"
        if why:
            free = _free(chip, key, header, taken, pins.values())
            problems[key] = f"GPIO {pin} cannot be {key}: {why}{_advice(free)}"
    return problems


def refusal(chip: Chip, key: str, pin: int, header: Sequence[int], taken: Mapping[int, str]) -> str:
    """The first reason against a pin for `key`, or nothing."""
    if pin not in chip.pins:
        return f"the {chip.name} has no such pin"
    if pin in chip.refused:
        return chip.refused[pin]
    if pin in taken:
        return f"it belongs to {taken[pin]}"
    if header and pin not in header:
        return "it is not on the board's header"
    return _unfit(chip, key, pin)


def _unfit(chip: Chip, key: str, pin: int) -> str:
    if key in OUTPUTS and pin in chip.input_only:
        return "it is an input only"
    if key in ANALOGUE and pin in chip.adc2:
        return "ADC2 does not work while Wi-Fi is on; ADC1 does"
    if key in ANALOGUE and pin not in chip.adc1:
        return "it has no analogue converter"
    if key in WAKING and pin not in chip.wake:
        return f"it cannot wake the {chip.name} from deep sleep"
    return ""


def _free(
    chip: Chip, key: str, header: Sequence[int], taken: Mapping[int, str], used: Iterable[int]
) -> list[int]:
    candidates = header or sorted(chip.pins)
    in_use = set(used)
    return [pin for pin in candidates if pin not in in_use and not refusal(chip, key, pin, header, taken)]


def _advice(free: Sequence[int]) -> str:
    if not free:
        return "; no pin is left for it"
    return f"; free for it: {', '.join(map(str, sorted(free)))}"
