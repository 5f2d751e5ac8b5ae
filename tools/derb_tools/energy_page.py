"""The tables of docs/energy.md, as `derb energy --compare` prints them."""

from collections.abc import Iterator
from dataclasses import fields

from derb_tools.boards import load_board
from derb_tools.energy_figures import CHEMISTRIES, CHIP_FIGURES, FIGURES, SENSORS, ChipFigures, Figure
from derb_tools.energy_model import UC_PER_MAH, Estimate, estimate, variants
from derb_tools.energy_setup import Asked, make_setup, quieter_sensor
from derb_tools.energy_text import life

BOARDS = (
    ("esp32-devkitc-v4", False),
    ("firebeetle2-esp32-e", False),
    ("firebeetle2-esp32-e", True),
    ("xiao-esp32c6", False),
)
LINKS = {"wifi": "Wi-Fi, MQTT", "espnow": "ESP-NOW, relay"}
SENSORS_SHOWN = {"parking": ("lis3mdl",), "level": ("hc-sr04", "hc-sr04-switched")}
NAMED = "firebeetle2-esp32-e"


def page() -> str:
    """Charges, lives and what would change them, in Markdown."""
    return "\n".join(
        [
            *_charges(),
            "",
            *_figures(),
            "",
            *_chips(),
            "",
            *_lives(),
            "",
            *_changes("parking", "lis3mdl"),
            "",
            *_changes("level", "hc-sr04-switched"),
        ]
    )


def _ask(board: str, mended: bool, kind: str, link: str, sensor: str | None = None) -> Estimate:
    return estimate(make_setup(load_board(board), Asked(kind=kind, link=link, mended=mended, sensor=sensor)))


def _charges() -> Iterator[str]:
    yield f"Charge of each step, modelled, on `{NAMED}` with its pad cut and the usual settings:"
    yield ""
    yield "| node | step | charge | times a day | mAh a day |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for kind, link in (("parking", "wifi"), ("parking", "espnow"), ("level", "wifi")):
        found = _ask(NAMED, True, kind, link)
        shown = [step for step in found.steps if link == "wifi" or step.part == "radio"]
        for step in shown:
            yield _row(
                f"{kind}, {link}",
                step.name,
                f"{step.charge_uc / 1000:.2f} mC",
                f"{step.per_day:.4g}",
                step.per_day_uc,
            )
        for current in found.standing if link == "wifi" else ():
            yield _row(
                f"{kind}, {link}", current.name, f"{current.current_ua:g} uA", "always", current.per_day_uc
            )


def _row(node: str, step: str, charge: str, times: str, per_day_uc: float) -> str:
    return f"| {node} | {step} | {charge} | {times} | {per_day_uc / UC_PER_MAH:.3f} |"


def _figures() -> Iterator[str]:
    yield "The figures behind them:"
    yield ""
    yield "| figure | value | basis | source |"
    yield "| --- | ---: | --- | --- |"
    for name, figure in FIGURES.items():
        yield f"| `{name}` | {_shown(figure)} | {figure.basis} | {figure.source} |"
    for sensor in SENSORS.values():
        yield f"| `{sensor.name}` standby, uA | {sensor.standby_ua:,g} | as sold | {sensor.source} |"
    for chemistry in CHEMISTRIES.values():
        yield f"| `{chemistry.name}` usable | {chemistry.usable:.0%} | assumed | {chemistry.source} |"


def _chips() -> Iterator[str]:
    yield "Of each chip (m: measured elsewhere, d: data sheet, a: assumed):"
    yield ""
    names = [field.name for field in fields(ChipFigures)]
    yield "| chip | " + " | ".join(f"`{name}`" for name in names) + " |"
    yield "| --- |" + " ---: |" * len(names)
    for chip, figures in CHIP_FIGURES.items():
        cells = (getattr(figures, name) for name in names)
        yield f"| {chip} | " + " | ".join(f"{_shown(cell)} {cell.basis[0]}" for cell in cells) + " |"


def _shown(figure: Figure) -> str:
    return f"{figure.value:,.10g}"


def _lives() -> Iterator[str]:
    yield "Battery life, modelled, on 3,000 mAh of li-ion with the usual settings (average current in brackets):"
    yield ""
    yield "| board | deep sleep | node, sensor | " + " | ".join(LINKS.values()) + " |"
    yield "| --- | ---: | --- | " + " | ".join("---:" for _ in LINKS) + " |"
    for board, mended in BOARDS:
        for kind, sensors in SENSORS_SHOWN.items():
            for sensor in sensors:
                yield _life_row(board, mended, kind, sensor)
    yield ""
    yield "\\* This chip has no `wake_on_ext0`: the firmware wakes it by the call that it has, which was never tried on one."


def _life_row(board: str, mended: bool, kind: str, sensor: str) -> str:
    found = [_ask(board, mended, kind, link, sensor) for link in LINKS]
    wake = load_board(board).wake
    star = " \\*" if kind == "parking" and wake and wake.method != "ext0" else ""
    cells = " | ".join(f"{life(each.life_days)} ({each.average_ua:,.0f} uA)" for each in found)
    sleep = f"{found[0].setup.board_sleep_ua:g} uA"
    return f"| `{board}`{', mended' if mended else ''}{star} | {sleep} | {kind}, {sensor} | {cells} |"


def _changes(kind: str, sensor: str) -> Iterator[str]:
    now = _ask(NAMED, True, kind, "wifi", sensor)
    yield f"What one change does: {kind}, {sensor}, `{NAMED}` mended, Wi-Fi, {life(now.life_days)} now:"
    yield ""
    yield "| change | life | average |"
    yield "| --- | ---: | ---: |"
    for words, found in ranked(now, None):
        yield f"| {words} | {life(found.life_days)} | {found.average_ua:,.0f} uA |"


def ranked(now: Estimate, mended_sleep_ua: float | None) -> list[tuple[str, Estimate]]:
    """Each single change with the estimate it leads to, the greatest effect first."""
    changed = variants(now.setup, mended_sleep_ua, quieter_sensor(now.setup))
    found = [(words, estimate(setup)) for words, setup in changed.items()]
    return sorted(found, key=lambda pair: -abs(pair[1].load_uc_per_day - now.load_uc_per_day))
