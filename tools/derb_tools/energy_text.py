"""What an energy estimate says to people and to programs: warnings, assumptions, tables."""

import math
from collections.abc import Iterator

from derb_tools.energy_figures import BOOST, FIGURES
from derb_tools.energy_model import PARTS, UC_PER_MAH, Estimate, Setup

MUCH_SELF_DISCHARGE = 0.25
LONG_DAYS = 3652.5
# A finished node drifts by 2 uT a kelvin and asphalt warms by 8 K an hour: the 3 uT of its threshold in 11 minutes.
DRIFT_S = 600
LOOK_S = 30
OF_PARKING = ("sample_ms", "heartbeat_samples", "car_samples", "passer_samples")
OF_LEVEL = ("ping_ms",)
EACH = ("sample_ms", "ping_ms")
"""What the sensor's own source speaks of, where it is not the usual one."""


def warnings(estimate: Estimate, wake_method: str | None, mend: str | None) -> list[str]:
    """What the asker should know before buying."""
    setup, found = estimate.setup, []
    sleep, radio = estimate.part_uc_per_day("sleep"), estimate.part_uc_per_day("radio")
    if sleep > radio:
        remedy = f"; it can be mended (--mended): {mend}" if mend else ""
        found.append(
            f"this board loses more to sleep than to radio: {_mah(sleep)} against {_mah(radio)} mAh a day{remedy}"
        )
    standby = estimate.part_uc_per_day("sensor standby")
    if setup.kind == "level" and standby > estimate.load_uc_per_day / 2:
        found.append(
            f"the sensor's standby takes more than all the rest: {_mah(standby)} mAh a day; switch its supply"
        )
    if setup.kind == "parking" and not setup.sensor.wakes:
        found.append(
            f"the {setup.sensor.name} cannot wake the board: a car is seen at the next look, up to {setup.every_s} s late"
            + (f"; detection wants one every {LOOK_S} s" if setup.every_s > LOOK_S else "")
        )
    elif setup.kind == "parking" and wake_method not in (None, "ext0"):
        found.append(
            f"this chip wakes by esp32.wake_on_{wake_method}: the firmware makes that call, but nobody has tried it on the chip"
        )
    if setup.kind == "parking" and setup.sensor.wakes and setup.every_s > DRIFT_S:
        found.append(
            "a bay's field drifts with heat: beyond ten minutes between looks, drift itself can wake the node"
        )
    if self_discharge_share(estimate) > MUCH_SELF_DISCHARGE:
        other = "" if setup.chemistry.name == "li-socl2" else ", or li-socl2,"
        found.append(
            f"the battery loses more than a quarter of itself by standing: a smaller one{other} wastes less"
        )
    return found


def self_discharge_share(estimate: Estimate) -> float:
    """The part of the usable charge that the battery loses by itself."""
    lost = estimate.self_discharge_uc_per_day
    return lost / (lost + estimate.load_uc_per_day)


def assumptions(setup: Setup) -> list[str]:
    """Every figure behind the estimate with its basis and source."""
    chip = setup.figures
    boot = chip.frozen_boot_uc if setup.frozen else chip.boot_uc
    lines = [f"boot of the {setup.chip}: {boot.value / 1000:g} mC ({boot.basis}): {boot.source}"]
    awake, light = chip.awake_ma, chip.light_sleep_ua
    lines.append(f"awake without radio: {awake.value:g} mA ({awake.basis}): {awake.source}")
    if setup.kind == "parking":
        lines.append(f"light sleep: {light.value:g} uA ({light.basis}): {light.source}")
    lines += [_figure_line(name) for name in _used(setup)]
    lines.append(f"{setup.sensor.name}: {setup.sensor.source}")
    if setup.sensor.boosted:
        lines.append(f"converter for the sensor: x{BOOST.value:g} ({BOOST.basis}): {BOOST.source}")
    lines.append(
        f"battery {setup.chemistry.name}, {setup.battery_mah:g} mAh, {setup.chemistry.usable:.0%} of it usable: "
        f"{setup.chemistry.source}"
    )
    lines.append(
        "glenn20: github.com/glenn20/upy-esp32-experiments, Nordic PPK2 at 5 V USB; its ESP32 board drew 15 mA besides"
    )
    lines.append(
        "a linear regulator: what the 3.3 V rail draws, the battery gives; 20 C; every send meets a gateway at once"
    )
    return lines


def _used(setup: Setup) -> Iterator[str]:
    yield "frozen_work_ms" if setup.frozen else "own_work_ms"
    names = OF_PARKING if setup.kind == "parking" else OF_LEVEL
    yield from (name for name in names if setup.sensor.each_ms is None or name not in EACH)
    if setup.link == "espnow":
        yield from ("espnow_uc", "espnow_receipt_uc")
    else:
        yield from ("wifi_fixed_uc",) if setup.fixed_address else ("wifi_dhcp_uc", "wifi_fixed_uc", "lease_s")
        yield from ("mqtt_uc", "wifi_receipt_uc")
    if setup.failed_share:
        yield "espnow_failed_uc" if setup.link == "espnow" else "wifi_failed_uc"


def _figure_line(name: str) -> str:
    figure = FIGURES[name]
    words, _, unit = name.rpartition("_")
    shown = f"{figure.value / 1000:g} mC" if unit == "uc" else f"{figure.value:g} {unit}"
    return f"{words.replace('_', ' ')}: {shown} ({figure.basis}): {figure.source}"


def life(days: float) -> str:
    """A life as a person says it; beyond ten years the cell's own age decides."""
    if math.isinf(days) or days > LONG_DAYS:
        return "over 10 years"
    if days >= 730:
        return f"{days / 365.25:.1f} years"
    if days < 2:
        return f"{days * 24:.1f} hours"
    return f"{days:.0f} days" if days < 120 else f"{days / 30.44:.0f} months"


def report(estimate: Estimate) -> Iterator[str]:
    """The table of steps and the sum, as plain text."""
    total = estimate.load_uc_per_day + estimate.self_discharge_uc_per_day
    yield f"{'step':46} {'charge':>11} {'times/day':>9} {'mAh/day':>8} {'share':>6}"
    for step in estimate.steps:
        yield _row(
            step.name, f"{step.charge_uc / 1000:.2f} mC", f"{step.per_day:.1f}", step.per_day_uc, total
        )
    for current in estimate.standing:
        yield _row(current.name, f"{current.current_ua:g} uA", "always", current.per_day_uc, total)
    yield _row("the battery's self-discharge", "", "always", estimate.self_discharge_uc_per_day, total)
    yield _row("all", f"{estimate.average_ua:.0f} uA", "average", total, total)


def _row(name: str, charge: str, times: str, per_day_uc: float, total_uc: float) -> str:
    return f"{name:46} {charge:>11} {times:>9} {_mah(per_day_uc):>8} {per_day_uc / total_uc:>6.1%}"


def _mah(charge_uc: float) -> str:
    return f"{charge_uc / UC_PER_MAH:.3f}"


def as_json(estimate: Estimate) -> dict[str, object]:
    """The estimate for programs; lives in days, charges in uC."""
    finite = math.isfinite(estimate.life_days)
    return {
        "modelled": True,
        "life_days": round(estimate.life_days, 1) if finite else None,
        "average_ua": round(estimate.average_ua, 2),
        "uc_per_day": {
            part.replace("-", "_").replace(" ", "_"): round(estimate.part_uc_per_day(part)) for part in PARTS
        },
        "steps": [
            {"part": s.part, "step": s.name, "charge_uc": round(s.charge_uc), "per_day": round(s.per_day, 3)}
            for s in estimate.steps
        ],
        "standing": [
            {"part": s.part, "step": s.name, "current_ua": round(s.current_ua, 2)} for s in estimate.standing
        ],
    }
