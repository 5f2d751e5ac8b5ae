"""Battery life of a node, modelled: charges of steps times how often they happen. Pure arithmetic; nothing is measured.

Units are in the names: uC microcoulomb, uA microampere, mAh milliampere-hour, s seconds. 1 mAh is 3,600,000 uC.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from derb_tools.energy_figures import BOOST, CHIP_FIGURES, FIGURES, Chemistry, ChipFigures, Sensor

DAY_S = 86_400
YEAR_DAYS = 365.25
UC_PER_MAH = 3_600_000


@dataclass(frozen=True)
class Setup:
    """What is asked: a board's sleep, a sensor, a way out, a policy, a battery."""

    chip: str
    board_sleep_ua: float
    kind: str
    link: str
    sensor: Sensor
    chemistry: Chemistry
    battery_mah: float
    every_s: int
    events_per_day: float
    passers_per_day: float = 0
    report_every: int = 4
    pings: int = 9
    health_per_day: float = 1
    failed_share: float = 0
    fixed_address: bool = False
    frozen: bool = False

    @property
    def figures(self) -> ChipFigures:
        """The chip's own figures."""
        return CHIP_FIGURES[self.chip]


@dataclass(frozen=True)
class Step:
    """One step of a wake: its charge, and how often a day."""

    part: str
    name: str
    charge_uc: float
    per_day: float

    @property
    def per_day_uc(self) -> float:
        """What it takes from the battery in a day."""
        return self.charge_uc * self.per_day


@dataclass(frozen=True)
class Standing:
    """A current that never stops."""

    part: str
    name: str
    current_ua: float

    @property
    def per_day_uc(self) -> float:
        """What it takes from the battery in a day."""
        return self.current_ua * DAY_S


@dataclass(frozen=True)
class Estimate:
    """The answer: what takes how much, and how long the battery lasts."""

    setup: Setup
    steps: tuple[Step, ...]
    standing: tuple[Standing, ...]
    life_days: float
    self_discharge_uc_per_day: float

    @property
    def items(self) -> tuple[Step | Standing, ...]:
        """All that the node takes."""
        return (*self.steps, *self.standing)

    @property
    def load_uc_per_day(self) -> float:
        """What the node itself takes."""
        return sum(item.per_day_uc for item in self.items)

    @property
    def average_ua(self) -> float:
        """The node's average current, self-discharge left out."""
        return self.load_uc_per_day / DAY_S

    def part_uc_per_day(self, part: str) -> float:
        """What one part takes: boot, sense, radio, sleep, sensor standby or self-discharge."""
        if part == "self-discharge":
            return self.self_discharge_uc_per_day
        return sum(item.per_day_uc for item in self.items if item.part == part)


PARTS = ("boot", "sense", "radio", "sleep", "sensor standby", "self-discharge")


def estimate(setup: Setup) -> Estimate:
    """The expected life and where the charge goes. A load of nothing lasts for ever (math.inf)."""
    steps = (*_boot_steps(setup), *_sense_steps(setup), *_radio_steps(setup))
    standing = (
        Standing("sleep", "deep sleep of the whole board", setup.board_sleep_ua),
        Standing(
            "sensor standby", f"{setup.sensor.name}, always on", _at_battery(setup, setup.sensor.standby_ua)
        ),
    )
    load = sum(step.per_day_uc for step in steps) + sum(current.per_day_uc for current in standing)
    usable_uc = setup.battery_mah * setup.chemistry.usable * UC_PER_MAH
    life_days = battery_days(usable_uc, load, setup.chemistry.loss_per_year)
    lost = max(0.0, usable_uc / life_days - load) if math.isfinite(life_days) else 0.0
    return Estimate(setup, steps, standing, life_days, lost)


def battery_days(usable_uc: float, load_uc_per_day: float, loss_per_year: float) -> float:
    """How long a battery lasts that loses a part of what is left in it by itself: ln(1 + k C / I) / k."""
    if load_uc_per_day <= 0:
        return math.inf
    loss_per_day = -math.log1p(-loss_per_year) / YEAR_DAYS
    if loss_per_day == 0:
        return usable_uc / load_uc_per_day
    return math.log1p(loss_per_day * usable_uc / load_uc_per_day) / loss_per_day


def wakes_per_day(setup: Setup) -> float:
    """A container wakes by the clock; a bay also when its field moves, if its sensor can wake it."""
    by_clock = DAY_S / setup.every_s
    moved = setup.kind == "parking" and setup.sensor.wakes
    return by_clock + (setup.events_per_day + setup.passers_per_day if moved else 0)


def sends_per_day(setup: Setup) -> float:
    """Events at once; health, and what can wait: a bay's at its own wake, a container's by the `report_every`."""
    if setup.kind == "parking":
        return setup.events_per_day + setup.health_per_day
    return setup.events_per_day + (DAY_S / setup.every_s + setup.health_per_day) / setup.report_every


def dhcp_per_day(setup: Setup) -> float:
    """How often a send asks for an address: the first one after the last address grew old, or after a failed one."""
    sends = sends_per_day(setup)
    if setup.fixed_address or not sends:
        return 0
    return min(sends, 1 / (_figure("lease_s") / DAY_S + 1 / sends) + sends * setup.failed_share)


def _boot_steps(setup: Setup) -> Iterator[Step]:
    chip, wakes = setup.figures, wakes_per_day(setup)
    boot = chip.frozen_boot_uc if setup.frozen else chip.boot_uc
    work_ms = _figure("frozen_work_ms" if setup.frozen else "own_work_ms")
    yield Step("boot", "boot MicroPython", boot.value, wakes)
    yield Step("boot", "load the node and its memory", work_ms * chip.awake_ma.value, wakes)


def _sense_steps(setup: Setup) -> Iterator[Step]:
    if setup.kind == "level":
        current_ma = setup.figures.awake_ma.value + _at_battery(setup, setup.sensor.working_ma)
        yield Step(
            "sense",
            f"{setup.pings} pings",
            setup.pings * _each_ms(setup) * current_ma,
            wakes_per_day(setup),
        )
        return
    yield Step(
        "sense",
        "look at the field by the clock",
        _watch_uc(setup, _figure("heartbeat_samples")),
        DAY_S / setup.every_s,
    )
    if not setup.sensor.wakes:
        # What it finds at a look has come to rest, or does in a few seconds.
        more = _figure("passer_samples") - _figure("heartbeat_samples")
        yield Step("sense", "watch what a look found", _watch_uc(setup, more), setup.events_per_day)
        return
    for name, samples, per_day in (
        ("watch a car park or leave", "car_samples", setup.events_per_day),
        ("watch something pass", "passer_samples", setup.passers_per_day),
    ):
        yield Step("sense", name, _watch_uc(setup, _figure(samples)), per_day)


def _watch_uc(setup: Setup, samples: float) -> float:
    """Samples at 1 Hz: a moment awake for each, and light sleep between them, with all that the board itself draws."""
    chip = setup.figures
    beside_ua = max(0.0, setup.board_sleep_ua - chip.deep_sleep_ua.value)
    awake_uc = _each_ms(setup) * chip.awake_ma.value
    return samples * awake_uc + (samples - 1) * (chip.light_sleep_ua.value + beside_ua)


def _radio_steps(setup: Setup) -> Iterator[Step]:
    sends = sends_per_day(setup)
    if setup.link == "espnow":
        yield Step("radio", "ESP-NOW frame", _figure("espnow_uc"), sends)
        yield Step("radio", "wait for the receipt", _figure("espnow_receipt_uc"), sends)
    else:
        dhcp = dhcp_per_day(setup)
        if dhcp:
            yield Step("radio", "join Wi-Fi, DHCP", _figure("wifi_dhcp_uc"), dhcp)
        yield Step("radio", "join Wi-Fi, address known", _figure("wifi_fixed_uc"), sends - dhcp)
        yield Step("radio", "MQTT connect and publish", _figure("mqtt_uc"), sends)
        yield Step("radio", "wait for the receipt", _figure("wifi_receipt_uc"), sends)
    failed = "espnow_failed_uc" if setup.link == "espnow" else "wifi_failed_uc"
    if setup.failed_share:
        yield Step("radio", "a send that finds no gateway", _figure(failed), sends * setup.failed_share)


def _at_battery(setup: Setup, current: float) -> float:
    return current * (BOOST.value if setup.sensor.boosted else 1)


def _each_ms(setup: Setup) -> float:
    usual = _figure("sample_ms" if setup.kind == "parking" else "ping_ms")
    return usual if setup.sensor.each_ms is None else setup.sensor.each_ms


def _figure(name: str) -> float:
    return FIGURES[name].value


def variants(setup: Setup, mended_sleep_ua: float | None, quiet_sensor: Sensor | None) -> dict[str, Setup]:
    """What could be changed, in words, each as a setup of its own."""
    found = {
        "wake half as often": replace(setup, every_s=setup.every_s * 2),
        "freeze the node into the image, run it before the file system is mounted": replace(
            setup, frozen=True
        ),
        "lose one send in twenty to a missing gateway": replace(setup, failed_share=0.05),
    }
    if setup.link == "wifi":
        found["use ESP-NOW and a relay"] = replace(setup, link="espnow")
        found["keep an address for good (no DHCP)"] = replace(setup, fixed_address=True)
    if setup.kind == "level":
        found["gather twice as many readings"] = replace(setup, report_every=setup.report_every * 2)
    if mended_sleep_ua is not None:
        found["mend the board's sleep"] = replace(setup, board_sleep_ua=mended_sleep_ua)
    if quiet_sensor is not None:
        found[f"use {quiet_sensor.name} for a sensor"] = replace(setup, sensor=quiet_sensor)
    return found
