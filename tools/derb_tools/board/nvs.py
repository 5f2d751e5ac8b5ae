"""The simulated NVS as the supervisor sees it: the file that `mpy/sim_nvs.py` reads and appends to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

Value = int | bytes


def read_nvs(file: Path) -> dict[str, dict[str, Value]]:
    """What is committed: namespace -> key -> an i32 or a blob."""
    stored: dict[str, dict[str, Value]] = {}
    for line in file.read_text().splitlines():
        namespace, key, kind, content = line.split(" ")
        entries = stored.setdefault(namespace, {})
        if kind == "-":
            entries.pop(key, None)
        else:
            raw = bytes.fromhex(content)
            entries[key] = int.from_bytes(raw, "little", signed=True) if kind == "i" else raw
    return stored


def write_nvs(file: Path, namespace: str, values: Mapping[str, Value]) -> None:
    """Add committed values."""
    with file.open("a") as log:
        for key, value in values.items():
            kind, raw = (
                ("i", value.to_bytes(4, "little", signed=True)) if isinstance(value, int) else ("b", value)
            )
            log.write(f"{namespace} {key} {kind} {raw.hex()}\n")
