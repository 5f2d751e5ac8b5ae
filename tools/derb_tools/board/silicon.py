"""The chip itself, and when its power goes. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CutMode = Literal["before", "torn", "after"]

_DEFAULT_TICKS_MS = (1 << 30) - 2000


@dataclass(frozen=True)
class Silicon:
    """What differs from chip to chip and from build to build.

    `ticks_start_ms`: where `time.ticks_ms()` begins a wake; by default it wraps two seconds in, since
    code that cannot stand that fails in the street after 12 days. `boot_ms` passes before the firmware's
    first line. `rtc_drift_ppm`: how fast the RTC runs in deep sleep. `heap_kb` includes about 150 kB of
    the simulator's own.
    """

    boot_ms: int = 350
    rtc_drift_ppm: int = 0
    ticks_start_ms: int = _DEFAULT_TICKS_MS
    heap_kb: int = 1024


@dataclass(frozen=True)
class Cut:
    """When the power goes during a wake: at that write (counted from 1), or so long after its start."""

    at_write: int | None = None
    mode: CutMode = "torn"
    after_ms: int | None = None
