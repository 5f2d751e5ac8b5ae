"""A simulated ESP32: real firmware in a real MicroPython, on hardware that is as strict as the chip or stricter."""

from .errors import BoardBroken, BoardError, BoardStuck, NoMicroPython
from .parts import Battery, Faults, HcSr04, Level, Lis3mdl, Part, Site
from .result import End, WakeResult
from .simboard import Cut, CutMode, Silicon, SimBoard
from .supervise import Patience

__all__ = [
    "Battery",
    "BoardBroken",
    "BoardError",
    "BoardStuck",
    "Cut",
    "CutMode",
    "End",
    "Faults",
    "HcSr04",
    "Level",
    "Lis3mdl",
    "NoMicroPython",
    "Part",
    "Patience",
    "Silicon",
    "SimBoard",
    "Site",
    "WakeResult",
]
