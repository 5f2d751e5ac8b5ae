"""Makes a WakeResult of what a board's process has said."""

from __future__ import annotations

from typing import Any

from .result import WakeResult
from .state import Cause
from .supervise import Heard

_COUNTS = ("programs", "erases", "nvs_writes", "wifi_connects", "tx_bytes", "rx_bytes")


def outcome(cause: Cause, start_ms: int, heard: Heard, real_ms: int) -> WakeResult:
    """The result of one wake that began at `start_ms`."""
    end: dict[str, Any] = heard.end or {}
    stats: dict[str, Any] = end.get("stats") or {}
    awake_ms = end["us"] // 1000
    return WakeResult(
        end=end["kind"],
        cause=cause,
        start_ms=start_ms,
        end_ms=start_ms + awake_ms,
        awake_ms=awake_ms,
        real_ms=real_ms,
        sleep_ms=end.get("sleep_ms"),
        wake_pins=_wake_pins(end),
        log=heard.log,
        violations=heard.violations,
        uart=heard.uart,
        wifi_on_ms=_wifi_on_us(end["us"], stats) // 1000,
        **{name: stats.get(name, 0) for name in _COUNTS},
    )


def _wake_pins(end: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    ext0, ext1 = end.get("ext0"), end.get("ext1")
    pins = [(ext0[0], ext0[1])] if ext0 else []
    pins += [(gpio, int(ext1[1])) for gpio in ext1[0]] if ext1 else []
    return tuple(pins)


def _wifi_on_us(awake_us: int, stats: dict[str, Any]) -> int:
    on_us: int = stats.get("wifi_on_us", 0)
    since_us = stats.get("wifi_since_us")
    return on_us if since_us is None else on_us + awake_us - since_us
