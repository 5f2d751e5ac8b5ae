"""What of a simulated board outlives a wake besides its memories: what it waits for, and its RTC counter."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

Cause = str
"""Why a wake begins: power_on, reset, soft_reset, wdt, timer, ext0 or ext1."""

RESET_CAUSES = {"power_on": 1, "reset": 2, "wdt": 3, "timer": 4, "ext0": 4, "ext1": 4, "soft_reset": 5}
WAKE_REASONS = {"ext0": 2, "ext1": 3, "timer": 4}


@dataclass
class BoardState:
    """`ended`: how the last wake ended (`off`: none since power was lost). Street times in ms, the RTC in us.

    `ext0` is (gpio, level); `ext1` is (gpios, any_high).
    """

    now_ms: int = 0
    ended: str = "off"
    reset: str = "power_on"
    timer_ms: int | None = None
    ext0: tuple[int, int] | None = None
    ext1: tuple[list[int], bool] | None = None
    rtc_us: int = 0
    rtc_at_ms: int = 0

    def rtc_at(self, street_ms: int, drift_ppm: int) -> int:
        """The RTC counter at that time; while the board sleeps it runs `drift_ppm` fast."""
        slept_us = (street_ms - self.rtc_at_ms) * 1000
        return self.rtc_us + slept_us + slept_us * drift_ppm // 1_000_000

    def save(self, file: Path) -> None:
        partly = file.with_suffix(".new")
        partly.write_text(json.dumps(asdict(self)))
        partly.replace(file)

    @classmethod
    def load(cls, file: Path) -> BoardState:
        fields = json.loads(file.read_text())
        for name in ("ext0", "ext1"):
            fields[name] = tuple(fields[name]) if fields[name] else None
        return cls(**fields)
