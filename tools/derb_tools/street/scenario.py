"""What a parking scenario is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from derb_tools.street.electric import Cable, Charger, Metro
from derb_tools.street.faults import Faults
from derb_tools.street.schedule import ORDINARY, Habit
from derb_tools.street.traffic import Lane
from derb_tools.street.types import Range
from derb_tools.street.weather import Weather

Mix = Mapping[str, float]
ORDINARY_MIX: Mix = {
    "sedan": 0.55,
    "suv": 0.24,
    "van": 0.12,
    "ev": 0.05,
    "light_truck": 0.02,
    "high_clearance": 0.02,
}
LANE_MIX: Mix = {"sedan": 0.55, "suv": 0.2, "van": 0.12, "light_truck": 0.06, "bus": 0.03, "motorcycle": 0.04}
CALM_LANE, MILD, NO_FAULTS = Lane(), Weather(), Faults()
COMMON_CHIPS = ("RM3100", "MMC5983MA", "LIS3MDL", "QMC5883L")
PERPENDICULAR, PARALLEL, EITHER = "perpendicular", "parallel", "either"
EVEN, IRREGULAR, ON_CHANGE = "even", "irregular", "on_change"


@dataclass(frozen=True)
class Street:
    """One scenario. Ranges are drawn once a trace; lengths in metres, fields in uT."""

    name: str
    about: str
    layout: str = EITHER
    pitch_across_m: Range = (2.3, 2.5)
    pitch_along_m: Range = (5.7, 6.1)
    aisle_m: Range = (5.0, 5.5)
    lane_beside_m: Range = (2.4, 2.8)
    chips: tuple[str, ...] = COMMON_CHIPS
    period_s: Range = (1.0, 1.0)
    sampling: str = EVEN
    mix: Mix = field(default_factory=lambda: ORDINARY_MIX)
    habit: Habit = ORDINARY
    neighbour_habit: Habit = ORDINARY
    neighbour_mix: Mix = field(default_factory=lambda: ORDINARY_MIX)
    lane: Lane = CALM_LANE
    lane_mix: Mix = field(default_factory=lambda: LANE_MIX)
    weather: Weather = MILD
    drift_ut_per_k: Range = (0.1, 0.5)
    walk_ut_per_root_day: Range = (0.2, 0.6)
    remagnetised_per_day: float = 0.0
    magnets_per_day: float = 0.0
    drive_over_per_day: float = 0.0
    tram_m: float | None = None
    cable: Cable | None = None
    charger: Charger | None = None
    metro: Metro | None = None
    faults: Faults = NO_FAULTS
    zero_crossing: bool = False
    """Vehicles whose field the day's drift carries through the empty value while they stand."""
    family: str = "hard"
    """ordinary | hard | weak (vehicles that may be undetectable) | all"""
