"""Containers and the ultrasonic sensors in their lids."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

BLIND_MARGIN_MM = 30


@dataclass(frozen=True)
class Container:
    """Inner plan in metres; distances from the sensor in mm: to the floor, and to the refuse when full."""

    name: str
    width_m: float
    length_m: float
    empty_mm: int
    full_mm: int

    @property
    def depth_mm(self) -> int:
        """From empty to full."""
        return self.empty_mm - self.full_mm


@dataclass(frozen=True)
class Pinger:
    """Beam (degrees, full width at -6 dB), blind zone and reach."""

    name: str
    beam_deg: float
    blind_mm: int
    reach_mm: int


def fitted(container: Container, pinger: Pinger) -> Container:
    """The container as an installer sets it up: "full" lies outside the sensor's blind zone."""
    return replace(container, full_mm=max(container.full_mm, pinger.blind_mm + BLIND_MARGIN_MM))


CONTAINERS: Mapping[str, Container] = {
    container.name: container
    for container in (
        Container("litter_120l", 0.40, 0.40, 900, 280),
        Container("wheeled_240l", 0.50, 0.58, 1000, 280),
        Container("four_wheels_1100l", 1.05, 1.20, 1250, 300),
        Container("bell_3m3", 1.40, 1.40, 1600, 320),
        Container("underground_5m3", 1.50, 1.50, 2500, 350),
    )
}

# Field notes on sensing, section B1; beams of the last two are from memory there.
PINGERS: Mapping[str, Pinger] = {
    pinger.name: pinger
    for pinger in (
        Pinger("JSN-SR04T", 75.0, 230, 5000),
        Pinger("HC-SR04", 15.0, 20, 4000),
        Pinger("A02YYUW", 60.0, 30, 4500),
        Pinger("MB7389", 12.0, 300, 5000),
    )
}
