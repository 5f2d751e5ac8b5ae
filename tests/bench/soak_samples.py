"""What is noted of a soak while it runs, one JSON line a moment, and the figures that come of it, also of half a soak."""

import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from derb_gateway.errors import StoreError
from derb_gateway.store_figures import StoreFigures, store_figures
from soak_rig import CITY, FILES, SoakRig
from street import cpu_s, status_field

_MB = 1 << 20
_WARM_UP_S = 120.0  # of one process's life: what it loads and fills first is no leak
_HOUR_S = 3600.0

Line = dict[str, Any]
Figures = dict[str, tuple[float, str]]


class Samples:
    """The file of a soak; each line has the seconds since its beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began_s = time.monotonic()
        path.write_text("")

    def now_s(self) -> float:
        return time.monotonic() - self._began_s

    def note(self, kind: str, **what: Any) -> None:
        """Write a line that is there whatever becomes of this process."""
        with self.path.open("a") as file:
            file.write(json.dumps({"kind": kind, "t_s": round(self.now_s(), 1), **what}) + "\n")


def figures_now(rig: SoakRig) -> StoreFigures | None:
    """What the store says, None while it cannot be read."""
    try:
        return store_figures(rig.store, (CITY, FILES), int(time.time() * 1000))
    except StoreError:
        return None


def sample(rig: SoakRig) -> Line:
    """How the gateway is at this moment; what cannot be had is not in it."""
    line: Line = {}
    try:
        if (pid := rig.pid) is not None:
            line["pid"] = pid
            line["resident_mb"] = round(status_field(pid, "VmRSS") / 1024, 1)
            line["files_open"] = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - only their number
            line["cpu_s"] = round(cpu_s(pid), 1)
    except (OSError, ValueError):
        pass  # it was killed meanwhile
    if (figures := figures_now(rig)) is not None:
        line["stored"] = figures.counters.get("readings_stored", 0)
        line["store_mb"] = round(figures.file_bytes / _MB, 1)
        for name, sink in figures.sinks.items():
            line[f"behind_{name}"] = sink.behind
    return line


def read(path: Path) -> list[Line]:
    """Return a file's lines; the last may be half written."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def figures(lines: Sequence[Line]) -> Figures:
    """Return what a soak showed; of memory and open files in the last process's life, after it has warmed up."""
    samples = [line for line in lines if line["kind"] == "sample"]
    last_pid = next((line["pid"] for line in reversed(samples) if "pid" in line), 0)
    life = [line for line in samples if line.get("pid") == last_pid and "resident_mb" in line]
    flat = [line for line in life if line["t_s"] - life[0]["t_s"] >= _WARM_UP_S] or life
    resident, files_open = _column(flat, "resident_mb"), _column(flat, "files_open")
    found: Figures = {"lasted": (samples[-1]["t_s"] / 60, "min"), "last_life": (_span_s(life) / 60, "min")}
    if len(flat) > 2:
        slope = statistics.linear_regression(_column(flat, "t_s"), resident).slope
        found |= {"resident_slope": (slope * _HOUR_S, "MB/h"), "resident_min": (min(resident), "MB")}
        found |= {"resident_max": (max(resident), "MB")}
        found |= {"files_open_min": (min(files_open), "files"), "files_open_max": (max(files_open), "files")}
        used_s = flat[-1]["cpu_s"] - flat[0]["cpu_s"]
        found["cpu"] = (100 * used_s / _span_s(flat), "% of a core")
    for column, unit in (("store_mb", "MB"), (f"behind_{CITY}", "readings"), (f"behind_{FILES}", "readings")):
        found[f"{column}_max"] = (max(_column(samples, column), default=0), unit)
    return found | _recoveries(lines) | _ending(lines)


def _recoveries(lines: Sequence[Line]) -> Figures:
    """Seconds from the end of each fault until intake and sinks were as before; how many faults did not see that."""
    took_s: defaultdict[str, list[float]] = defaultdict(list)
    for line in lines:
        if line["kind"] == "recovered":
            took_s[line["fault"]].append(line["took_s"])
    found: Figures = {f"recovery_max {fault}": (max(all_s), "s") for fault, all_s in sorted(took_s.items())}
    counts = {kind: sum(line["kind"] == kind for line in lines) for kind in ("fault", "recovered")}
    return found | {"faults": (counts["fault"], ""), "faults_recovered": (counts["recovered"], "")}


def _ending(lines: Sequence[Line]) -> Figures:
    """The balance at both sinks, if the soak came to its end."""
    ending = next((line for line in lines if line["kind"] == "end"), {})
    return {name: (value, "") for name, value in ending.items() if name not in ("kind", "t_s")}


def _column(lines: Sequence[Line], name: str) -> list[float]:
    return [line[name] for line in lines if name in line]


def _span_s(lines: Sequence[Line]) -> float:
    return lines[-1]["t_s"] - lines[0]["t_s"] if lines else 0.0
