"""Streets made from physics: labelled recordings of parking bays and containers."""

from derb_tools.street.demo import StreetObject, demo_street
from derb_tools.street.level import LEVEL_SCENARIOS, LevelTrace, level_trace, write_level_trace
from derb_tools.street.level_score import LevelFigures, score_level
from derb_tools.street.parking import parking_trace
from derb_tools.street.parking_score import ParkingFigures, score_parking
from derb_tools.street.recordings import write_echo, write_mag
from derb_tools.street.references import REFERENCES
from derb_tools.street.scenario import Street
from derb_tools.street.scenarios import SCENARIOS
from derb_tools.street.trace import Trace, Truth, read_truth, truth_path, write_trace

__all__ = [
    "LEVEL_SCENARIOS",
    "REFERENCES",
    "SCENARIOS",
    "LevelFigures",
    "LevelTrace",
    "ParkingFigures",
    "Street",
    "StreetObject",
    "Trace",
    "Truth",
    "demo_street",
    "level_trace",
    "parking_trace",
    "read_truth",
    "score_level",
    "score_parking",
    "truth_path",
    "write_echo",
    "write_level_trace",
    "write_mag",
    "write_trace",
]
