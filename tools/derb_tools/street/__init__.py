"""Streets made from physics: labelled recordings of parking bays and containers."""

from derb_tools.street.parking import parking_trace
from derb_tools.street.scenario import Street
from derb_tools.street.scenarios import SCENARIOS
from derb_tools.street.trace import Trace, Truth, read_truth, truth_path, write_trace

__all__ = [
    "SCENARIOS",
    "Street",
    "Trace",
    "Truth",
    "parking_trace",
    "read_truth",
    "truth_path",
    "write_trace",
]
