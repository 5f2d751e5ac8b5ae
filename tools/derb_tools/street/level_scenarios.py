"""The table of level scenarios."""

from collections.abc import Mapping
from dataclasses import dataclass

from derb_tools.street.types import Range

ALL_CONTAINERS = ("litter_120l", "wheeled_240l", "four_wheels_1100l", "bell_3m3", "underground_5m3")
ALL_PINGERS = ("JSN-SR04T", "HC-SR04", "A02YYUW", "MB7389")
FAULT_NAMES = ("unplugged", "blocked", "flooded", "lid_open", "foam", "wall_echo")


@dataclass(frozen=True)
class LevelStreet:
    """One scenario. Chances are per ping and drawn once a recording; faults come `faults_per_month` each."""

    name: str
    about: str
    containers: tuple[str, ...] = ALL_CONTAINERS
    pingers: tuple[str, ...] = ALL_PINGERS
    pings: int = 15
    interval_s: float = 1800.0
    temp_c: Range = (12.0, 24.0)
    """Night and noon."""
    wall: Range = (0.02, 0.10)
    double: Range = (0.01, 0.05)
    timeout: Range = (0.02, 0.15)
    facets_mm: Range = (5.0, 20.0)
    lump_scale: Range = (0.15, 0.6)
    partial_share: float = 0.02
    rate_per_day: float | None = None
    faults: tuple[str, ...] = ()
    faults_per_month: float = 6.0
    no_echo_us: int = -2
    """What a sensor tells when nothing comes back: -2, or the length of its longest pulse."""
    real_curves: bool = False


def _fault(name: str, about: str) -> LevelStreet:
    return LevelStreet(name, about, faults=(name,))


LEVEL_SCENARIOS: Mapping[str, LevelStreet] = {
    street.name: street
    for street in (
        LevelStreet("nominal", "all containers and sensors, mild weather"),
        LevelStreet("hot", "18 to 50 C", temp_c=(18.0, 50.0)),
        LevelStreet("cold", "-5 to 8 C", temp_c=(-5.0, 8.0)),
        LevelStreet("wide_beam", "75 degrees in narrow bins",
                    ("litter_120l", "wheeled_240l"), ("JSN-SR04T",)),
        LevelStreet("underground", "2.5 m deep", ("underground_5m3",)),
        LevelStreet("lumpy", "bags and boxes", lump_scale=(0.7, 1.2), facets_mm=(20.0, 60.0)),
        LevelStreet("hard_walls", "a hinge near the beam", wall=(0.10, 0.20), double=(0.03, 0.06)),
        LevelStreet("deaf", "a third of the pings lost", timeout=(0.25, 0.40)),
        LevelStreet("long_pulse", "no echo is told as a pulse of 60 ms",
                    timeout=(0.10, 0.25), no_echo_us=60000),
        LevelStreet("fast_filling", "more than once full a day", rate_per_day=130.0),
        LevelStreet("slow_filling", "two weeks to be full", rate_per_day=7.0),
        LevelStreet("partial_collections", "a third of the collections leave a rest", partial_share=0.33),
        LevelStreet("every_5_min", "a reading each five minutes", interval_s=300.0),
        LevelStreet("every_2_h", "a reading each two hours", interval_s=7200.0),
        LevelStreet("edinburgh", "real fill curves of litter bins", ("litter_120l",), real_curves=True),
        _fault("unplugged", "a broken wire"),
        _fault("blocked", "a bag on the sensor"),
        _fault("flooded", "water on the membrane"),
        _fault("lid_open", "the lid left open"),
        _fault("foam", "foam or soft bags swallow the pulse"),
        _fault("wall_echo", "half of the echoes come from the wall"),
        LevelStreet("level_hell", "every fault, heat, lumps and walls", temp_c=(5.0, 50.0), wall=(0.08, 0.15),
                    timeout=(0.1, 0.3), lump_scale=(0.5, 1.0), facets_mm=(15.0, 40.0), partial_share=0.1,
                    faults=FAULT_NAMES, faults_per_month=3.0),
    )
}  # fmt: skip
