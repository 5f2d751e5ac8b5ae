"""What one wake of a simulated board came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

End = Literal["deepsleep", "reset", "wdt", "power_cut", "crash", "exit", "hang"]
"""How a wake ended. `crash`: an uncaught exception; `exit`: the main program returned; on the hardware both
mean a prompt, awake for ever. `hang`: it waits or spins for ever and no watchdog is armed."""


@dataclass(frozen=True)
class WakeResult:
    """One wake: how it ended, what it said, and what it cost.

    Times are on the board's clock; `start_ms` and `end_ms` on the street's. `block_writes` counts
    littlefs programs and erases and NVS entries together: the numbers that `cut_at_write` counts, from 1.
    """

    end: End
    cause: str
    start_ms: int
    end_ms: int
    awake_ms: int
    real_ms: int
    sleep_ms: int | None = None
    wake_pins: tuple[tuple[int, int], ...] = ()
    log: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    uart: dict[int, bytes] = field(default_factory=dict)
    programs: int = 0
    erases: int = 0
    nvs_writes: int = 0
    wifi_connects: int = 0
    wifi_on_ms: int = 0
    tx_bytes: int = 0
    rx_bytes: int = 0

    @property
    def block_writes(self) -> int:
        return self.programs + self.erases + self.nvs_writes

    def said(self, text: str) -> bool:
        """Whether a line of the log has `text` in it."""
        return any(text in line for line in self.log)

    def __str__(self) -> str:
        log = "".join(f"\n    {line}" for line in self.log)
        return f"{self.cause} -> {self.end}, awake {self.awake_ms} ms, {self.block_writes} writes{log}"
