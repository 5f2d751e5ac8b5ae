"""What the node takes of a 32-bit MicroPython's heap: by module, by stage of a wake, and in all. How: tests/weight.

The times are of this machine, to compare modules by; a board takes many times as long. With MICROPYTHON_32=/path/to/micropython,
a 32-bit one of the unix port, also the smallest heap in which it runs a whole wake.
"""

import ast
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from derb_tools.firmware_files import firmware_dir
from derb_tools.interpreters import micropython_command

from tests.weight.weighing import (
    CONFIGS,
    ESPNOW,
    mpy_folder,
    record_after,
    smallest_heap,
    weigh_modules,
    weigh_stage,
    weigh_update,
    weigh_wake,
)

RESIDENT_AIM_BYTES = 46_080
PEAK_AIM_BYTES = 46_080 + 20_480


def say(figure: str, value: int, **more: object) -> None:
    print(json.dumps({"bench": "memory", "figure": figure, "value": value, "unit": "bytes", **more}))


def in_order(mpy: Path) -> list[str]:
    """Every module of the application, behind those that it imports at once: so each weighs what it weighs itself."""
    paths = [path.relative_to(mpy).with_suffix("") for path in sorted(mpy.rglob("*.mpy"))]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    ordered: list[str] = []

    def add(name: str) -> None:
        if name not in ordered:
            for other in sorted(imported_at_once(name) & set(names) - {name}):
                add(other)
            ordered.append(name)

    for name in names:
        add(name)
    return ordered


def imported_at_once(name: str) -> set[str]:
    """What the top level of a module imports."""
    path = firmware_dir().joinpath(*name.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = {name.rpartition(".")[0]}
    for node in ast.parse(source.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def of_modules(mpy: Path) -> None:
    total = 0
    for step, took_us in weigh_modules(mpy, in_order(mpy)):
        path = mpy.joinpath(*step.name.split("."))
        file = path / "__init__.mpy" if path.is_dir() else path.with_suffix(".mpy")
        total += step.resident
        say(f"{step.name}, .mpy", file.stat().st_size)
        say(f"{step.name}, heap", step.resident, import_us=took_us)
    say("all modules at once, heap", total)


def wakes(mpy: Path) -> Iterator[tuple[str, dict[str, object], str]]:
    """(what it is, configuration, RTC memory as hex)."""
    for kind, config in CONFIGS.items():
        yield f"{kind}, after a loss of power", dict(config), ""
        yield f"{kind}, after a sleep", dict(config), record_after(mpy, config)


def of_wakes(mpy: Path) -> None:
    for name, config, record in wakes(mpy):
        steps = weigh_wake(mpy, config, record)
        for step in steps:
            say(f"{name}: {step.name}, heap", step.resident, uncollected=step.uncollected)
        most = max(steps, key=lambda step: step.resident)
        say(f"{name}: most at once", most.resident, stage=most.name, aim=RESIDENT_AIM_BYTES)
        say(f"{name}: smallest heap, 64-bit", smallest_heap(micropython_command(), mpy, config, record))
        if program := os.environ.get("MICROPYTHON_32"):
            say(
                f"{name}: smallest heap, 32-bit",
                smallest_heap([program], mpy, config, record),
                aim=PEAK_AIM_BYTES,
            )


def of_rarer_stages(mpy: Path) -> None:
    """What a connection takes over ESP-NOW, and with all that an update needs."""
    say("parking over ESP-NOW: trip, heap", weigh_stage(mpy, ESPNOW, "", "trip").resident)
    say("parking, fetching an update: trip, heap", weigh_update(mpy, CONFIGS["parking"]).resident)
    say("parking over ESP-NOW, fetching an update: trip, heap", weigh_update(mpy, ESPNOW).resident)


if __name__ == "__main__":
    with mpy_folder() as folder:
        of_modules(folder)
        of_rarer_stages(folder)
        of_wakes(folder)
