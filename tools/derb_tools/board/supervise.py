"""Watches one MicroPython process through one wake: log, messages, and whether it minds its clock."""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import BoardBroken
from .launcher import Launcher, Pipes

_POLL_MS = 50
_READ_BYTES = 65_536
_WDT_MARGIN_S = 2.0

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """How long a wake may take on this laptop.

    After `spin_s` of processor time without a look at its clock it spins, and ends as `wdt` or `hang`.
    `wake_s`: real seconds of a whole wake, None for a board that never sleeps.
    """

    spin_s: float = 2.0
    wake_s: float | None = 120.0


@dataclass
class Heard:
    """What a process has said so far."""

    log: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    uart: dict[int, bytes] = field(default_factory=dict)
    end: dict[str, Any] | None = None
    beat: dict[str, Any] = field(default_factory=dict)


class _Lines:
    """Cuts a stream into whole lines."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._take(line.rstrip(b"\r").decode(errors="replace"))

    def flush(self) -> None:
        if self._rest:
            self.feed(b"\n")


class _Spin:
    """Tells a board that computes for ever from one that is only slow to be scheduled."""

    def __init__(self, pid: int, patience: Patience) -> None:
        self._pid = pid
        self._patience = patience
        self._begun_s = time.monotonic()
        self.beat_seen()

    def beat_seen(self) -> None:
        self._beat_s = time.monotonic()
        self._beat_cpu_s = self._cpu_s()

    def spins(self, wdt_left_us: int | None) -> bool:
        now_s = time.monotonic()
        if self._cpu_s() - self._beat_cpu_s > self._patience.spin_s:
            return True
        if wdt_left_us is not None and now_s - self._beat_s > wdt_left_us / 1e6 + _WDT_MARGIN_S:
            return True
        wake_s = self._patience.wake_s
        return wake_s is not None and now_s - self._begun_s > wake_s

    def _cpu_s(self) -> float:
        try:
            fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # no /proc (macOS), or the process has gone: real time has to do
            return time.monotonic()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Supervision:
    """One process from its start to its kill."""

    def __init__(self, launcher: Launcher, pipes: Pipes, patience: Patience, on_line: OnLine | None) -> None:
        self._launcher = launcher
        self._pipes = pipes
        self._on_line = on_line
        self._spin = _Spin(pipes.pid, patience)
        self.heard = Heard()
        self._log = _Lines(self._take_log)
        self._messages = _Lines(self._take_message)
        self._cut = False

    def cut_power(self) -> None:
        """Kill the process at this very moment; to be called from another thread."""
        self._cut = True

    def run(self) -> Heard:
        """Until the wake has ended and the process is gone. Raises BoardBroken if the simulator fails."""
        try:
            self._follow()
        finally:
            self._launcher.kill(self._pipes)
            self._drain(self._pipes.output_fd, self._log)
            self._pipes.close()
        self._log.flush()
        end = self.heard.end
        if end is None or end["kind"] == "broken":
            raise BoardBroken("\n".join(["the board's process ended by itself:", *self.heard.log[-20:]]))
        return self.heard

    def _follow(self) -> None:
        poller = select.poll()
        for fd in (self._pipes.output_fd, self._pipes.messages_fd):
            poller.register(fd, select.POLLIN)
        alive = True
        while alive and self.heard.end is None:
            alive = self._step(poller)

    def _step(self, poller: select.poll) -> bool:
        alive = True
        for fd, _ in poller.poll(_POLL_MS):
            lines = self._log if fd == self._pipes.output_fd else self._messages
            alive = self._drain(fd, lines) and alive
        if self._cut:
            self._end_as("power_cut", 0)
        elif alive and self.heard.end is None and self._spin.spins(self.heard.beat.get("wdt_left_us")):
            self._bite()
        return alive

    def _drain(self, fd: int, lines: _Lines) -> bool:
        """Take in what is there; False at the end of the stream."""
        while True:
            try:
                chunk = os.read(fd, _READ_BYTES)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            lines.feed(chunk)

    def _bite(self) -> None:
        """The firmware does not look at its clock: the watchdog, if there is one, ends it at its time."""
        left_us = self.heard.beat.get("wdt_left_us")
        self._end_as("hang" if left_us is None else "wdt", left_us or 0)

    def _end_as(self, kind: str, later_us: int) -> None:
        beat = self.heard.beat
        self.heard.end = {
            "kind": kind,
            "us": beat.get("us", 0) + later_us,
            "rtc_us": beat.get("rtc_us", 0) + later_us,
            "stats": beat.get("stats", {}),
        }

    def _take_log(self, line: str) -> None:
        self.heard.log.append(line)
        if self._on_line:
            self._on_line(line)

    def _take_message(self, line: str) -> None:
        letter, _, text = line.partition(" ")
        content = json.loads(text)
        if letter == "E":
            self.heard.end = content
        elif letter == "B":
            self.heard.beat = content
            self._spin.beat_seen()
        elif letter == "R":
            self.heard.beat = {**self.heard.beat, **content}
        elif letter == "V":
            self.heard.violations.append(content)
        elif letter == "U":
            uart = self.heard.uart
            uart[content["uart"]] = uart.get(content["uart"], b"") + bytes.fromhex(content["hex"])
