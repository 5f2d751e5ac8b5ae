"""A simulated ESP32: real firmware in a real MicroPython, on hardware no more lenient than the chip."""

from .errors import BoardBroken, BoardError, BoardStuck, NoMicroPython
from .parts import Battery, Ds18b20, Faults, HcSr04, Level, Lis3dh, Lis3mdl, Part, Site, UartRanger
from .result import End, WakeResult
from .silicon import Cut, CutMode, Silicon
from .simboard import SimBoard
from .supervise import Patience

__all__ = [
    "Battery",
    "BoardBroken",
    "BoardError",
    "BoardStuck",
    "Cut",
    "CutMode",
    "Ds18b20",
    "End",
    "Faults",
    "HcSr04",
    "Level",
    "Lis3dh",
    "Lis3mdl",
    "NoMicroPython",
    "Part",
    "Patience",
    "Silicon",
    "SimBoard",
    "Site",
    "UartRanger",
    "WakeResult",
]
