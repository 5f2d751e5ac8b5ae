"""A simulated ESP32 with its sensors: `SimBoard.wake()` runs one wake of the firmware in MicroPython.

Everything that the chip would keep lives in files in the board's folder: `flash.img` (littlefs), `nvs`, `rtc`
(RTC memory), `lis3mdl`, `lis3dh` (the chips' registers) and `state.json`. A board without a folder of its own
is a new one.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .asleep import let_chips_sleep, pin_reaches
from .errors import BoardError, BoardStuck
from .image import BLOCK_BYTES, BLOCKS, make_image
from .launcher import Launcher, launcher
from .nvs import Value, read_nvs, write_nvs
from .outcome import outcome
from .parts import Faults, Part, Site, radio, wiring
from .result import WakeResult
from .silicon import Cut, Silicon
from .state import RESET_CAUSES, WAKE_REASONS, BoardState, Cause
from .supervise import Heard, OnLine, Patience, Supervision

_FILES = {"flash": "flash.img", "nvs": "nvs", "rtc": "rtc"}

NVS_NAMESPACE = "derb"
_DAY_MS = 86_400_000


@dataclass
class SimBoard:
    """One board. Times are street milliseconds.

    `speed`: how much faster than real it sleeps, 0: in no time. While a connection is open it waits in
    real time for what may come, `network_speed` times as fast. `air_port` is that of an `air.Air`; `console` a
    terminal in raw mode that the firmware's sys.stdin and sys.stdout are on. `starter` starts its processes, if not
    the usual launcher. `frozen`: folders whose modules a custom image has in it; its flash is then bare.
    """

    dir: Path
    firmware: Path
    node_id: bytes
    config: Mapping[str, object] = field(default_factory=dict)
    key: bytes = b""
    sensors: Sequence[Part] = ()
    site: Site = field(default_factory=Site)
    speed: float = 0
    network_speed: int = 1
    now_ms: int = 0
    silicon: Silicon = field(default_factory=Silicon)
    patience: Patience = field(default_factory=Patience)
    air_port: int | None = None
    console: Path | None = None
    starter: Launcher | None = None
    frozen: Sequence[Path] = ()

    def __post_init__(self) -> None:
        if len(self.node_id) != 6:
            raise ValueError("a node id has 6 bytes")
        self.dir.mkdir(parents=True, exist_ok=True)
        self._running: Supervision | None = None
        self.raw_prompt = False  # of a soft reset: main.py is left out
        if self._file("state.json").exists():
            self.state = BoardState.load(self._file("state.json"))
            self.now_ms = max(self.now_ms, self.state.now_ms)
        else:
            self.state = BoardState(now_ms=self.now_ms)

    def factory(self, extra_dirs: Iterable[Path] = ()) -> None:
        """Make it new: firmware on flash, `extra_dirs` in /lib, settings and key in NVS, power off."""
        if self.frozen:
            self.flash.write_bytes(b"\xff" * (BLOCKS * BLOCK_BYTES))
        else:
            make_image(self.flash, self.firmware, extra_dirs, heap_kb=self.silicon.heap_kb)
        self._file("nvs").write_bytes(b"")
        values: dict[str, Value] = {
            "cfg": json.dumps(self.config, separators=(",", ":")).encode(),
            "key": self.key,
        }
        write_nvs(self._file("nvs"), NVS_NAMESPACE, values)
        self.power_cut()

    def reconfigure(self, config: Mapping[str, object]) -> None:
        """Write another configuration into NVS, as a technician would over USB."""
        self.config = config
        write_nvs(
            self._file("nvs"), NVS_NAMESPACE, {"cfg": json.dumps(config, separators=(",", ":")).encode()}
        )

    @property
    def flash(self) -> Path:
        return self._file("flash.img")

    def nvs(self) -> dict[str, dict[str, Value]]:
        """What is committed in NVS: namespace -> key -> value."""
        return read_nvs(self._file("nvs"))

    def rtc_memory(self) -> bytes:
        """What the RTC memory holds; empty after power loss."""
        kept = self._file("rtc").read_bytes()
        return kept[2 : 2 + int.from_bytes(kept[:2], "little")]

    def power_cut(self, now_ms: int | None = None) -> None:
        """Power is lost: RTC memory, RTC time and the chips' registers are gone; flash and NVS stay."""
        self._pass_time(now_ms)
        self._lose_power()
        self.state.save(self._file("state.json"))

    def next_wake(self) -> tuple[int, Cause] | None:
        """When the board wakes up next by itself, and why; None: never."""
        state = self.state
        if state.ended != "deepsleep":
            return None if state.ended in ("crash", "exit", "hang") else (self.now_ms, state.reset)
        timer = None if state.timer_ms is None else (max(state.timer_ms, self.now_ms), "timer")
        limit_ms = state.now_ms + _DAY_MS if timer is None else timer[0]
        pins = [each for each in self._pin_wakes(limit_ms) if each is not None]
        return min(pins + ([timer] if timer else []), default=None)

    def next_wake_ms(self) -> int | None:
        """When the board wakes up next by itself."""
        due = self.next_wake()
        return None if due is None else due[0]

    def wake(
        self,
        cause: Cause | None = None,
        *,
        now_ms: int | None = None,
        cut: Cut | None = None,
        cut_at_write: int | None = None,
        faults: Faults | None = None,
        uart_in: Mapping[int, bytes] | None = None,
        on_line: OnLine | None = None,
    ) -> WakeResult:
        """Run one wake to its end, and return what came of it.

        `cause` and `now_ms` default to what is due next. `cut_at_write=n` is short for
        `cut=Cut(at_write=n)`. Raises BoardStuck when nothing is due, BoardBroken when the simulator
        fails.
        """
        cause, start_ms = self._due(cause, now_ms)
        self._end_sleep(cause, start_ms)
        order = self._order(cause, start_ms, cut or Cut(cut_at_write), faults or Faults(), uart_in or {})
        begun_s = time.monotonic()
        heard = self._run(order, on_line)
        result = outcome(cause, start_ms, heard, round((time.monotonic() - begun_s) * 1000))
        self._settle(result, heard)
        return result

    def cut_now(self) -> bool:
        """Cut the power of a wake that runs in another thread; False if none does."""
        running = self._running
        if running is not None:
            running.cut_power()
        return running is not None

    def _file(self, name: str) -> Path:
        return self.dir / name

    def _pass_time(self, now_ms: int | None) -> None:
        if now_ms is not None:
            self.now_ms = max(self.now_ms, now_ms)

    def _lose_power(self) -> None:
        for name in ("rtc", "lis3mdl", "lis3dh"):
            self._file(name).write_bytes(b"")
        self.state = BoardState(now_ms=self.now_ms, rtc_at_ms=self.now_ms)

    def _pin_wakes(self, limit_ms: int) -> Iterable[tuple[int, Cause] | None]:
        state = self.state
        pins = [(state.ext0[0], state.ext0[1], "ext0")] if state.ext0 else []
        if state.ext1:
            pins += [(gpio, int(state.ext1[1]), "ext1") for gpio in state.ext1[0]]
        for gpio, level, cause in pins:
            ms = pin_reaches(self.sensors, self._file("lis3mdl"), gpio, level, state.now_ms, limit_ms)
            yield None if ms is None else (max(ms, self.now_ms), cause)

    def _due(self, cause: Cause | None, now_ms: int | None) -> tuple[Cause, int]:
        if cause is not None and cause not in RESET_CAUSES:
            raise ValueError(f"no such cause: {cause!r}; there are {', '.join(RESET_CAUSES)}")
        due = self.next_wake() if cause is None or now_ms is None else None
        if cause is None and due is None:
            raise BoardStuck(
                f"the board will not wake up by itself: its last wake ended with {self.state.ended!r}"
            )
        if now_ms is None:
            now_ms = due[0] if due and cause in (None, due[1]) else self.now_ms
        return cause or (due[1] if due else "power_on"), max(now_ms, self.state.now_ms)

    def _end_sleep(self, cause: Cause, start_ms: int) -> None:
        if not self.flash.exists():
            raise BoardError("this board has no firmware: call factory() first")
        let_chips_sleep(self.sensors, self._file("lis3mdl"), self.state.now_ms, start_ms)
        self.now_ms = start_ms
        if cause == "power_on" and self.state.ended != "off":
            self._lose_power()

    def _order(
        self, cause: Cause, start_ms: int, cut: Cut, faults: Faults, uart_in: Mapping[int, bytes]
    ) -> dict[str, object]:
        rtc_us = self.state.rtc_at(start_ms, self.silicon.rtc_drift_ppm if cause in WAKE_REASONS else 0)
        return {
            "street_ms": start_ms,
            "rtc_us": rtc_us,
            "speed": self.speed,
            "network_speed": self.network_speed,
            "boot_ms": self.silicon.boot_ms,
            "ticks_start_ms": self.silicon.ticks_start_ms,
            "cut_at_write": cut.at_write,
            "cut_mode": cut.mode,
            "cut_at_ms": cut.after_ms,
            "node_id": self.node_id.hex(),
            "random_seed": zlib.crc32(self.node_id + start_ms.to_bytes(8, "little", signed=True)),
            "reset_cause": RESET_CAUSES[cause],
            "wake_reason": WAKE_REASONS.get(cause, 0),
            "files": {name: str(self._file(file)) for name, file in _FILES.items()},
            "wiring": wiring(list(self.sensors), self._file("lis3mdl")),
            "site": radio(self.site),
            "hosts": dict(self.site.hosts),
            "faults": asdict(faults),
            "uart_in": {str(number): received.hex() for number, received in uart_in.items()},
            "air_port": self.air_port,
            "console": None if self.console is None else str(self.console),
            "raw": self.raw_prompt,
            "frozen": [str(folder.resolve()) for folder in self.frozen],
        }

    def _run(self, order: dict[str, object], on_line: OnLine | None) -> Heard:
        starter = self.starter or launcher(self.silicon.heap_kb)
        pipes = starter.start()
        self._running = Supervision(starter, pipes, self.patience, on_line)
        try:
            pipes.give(order)
            return self._running.run()
        finally:
            self._running = None

    def _settle(self, result: WakeResult, heard: Heard) -> None:
        end: dict[str, Any] = heard.end or {}
        self.now_ms = result.end_ms
        if result.end == "power_cut":
            self._lose_power()
        else:
            self.state = BoardState(
                now_ms=result.end_ms,
                ended=result.end,
                reset=_reset_after(result.end, end.get("cause")),
                timer_ms=None if result.sleep_ms is None else result.end_ms + result.sleep_ms,
                ext0=tuple(end["ext0"]) if end.get("ext0") else None,
                ext1=tuple(end["ext1"]) if end.get("ext1") else None,
                rtc_us=end["rtc_us"],
                rtc_at_ms=result.end_ms,
            )
        self.state.save(self._file("state.json"))


def _reset_after(end: str, reset_cause: int | None) -> Cause:
    if end == "reset":
        return "soft_reset" if reset_cause == RESET_CAUSES["soft_reset"] else "reset"
    return "wdt" if end == "wdt" else "power_on"
