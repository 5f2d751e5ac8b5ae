"""Which nodes of a fleet want somebody to come, and why. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Node = dict[str, Any]


class Limits(NamedTuple):
    """From when on a node is silent, and below what its battery is low."""

    silent_s: int
    battery_mv: int


def troubles(node: Node, limits: Limits) -> list[str]:
    """Return what is wrong with a node, in words; nothing if all is well or it was replaced."""
    if node["replaced_by"]:
        return []
    found = []
    if node["silent_s"] is None:
        found.append("never heard")
    elif node["silent_s"] > limits.silent_s:
        found.append(f"silent for {_duration(node['silent_s'])}")
    if node["battery_mv"] is not None and node["battery_mv"] < limits.battery_mv:
        found.append(f"battery low: {node['battery_mv']} mV")
    if node["config"] == "refused":
        found.append("refused its settings")
    return found


def versions(nodes: Iterable[Node]) -> list[tuple[str, int]]:
    """Return how many nodes have which firmware, most first; those that have not said count as `unknown`."""
    current = (node for node in nodes if not node["replaced_by"])
    return Counter(node["firmware"] or "unknown" for node in current).most_common()


def summary(nodes: Sequence[Node], limits: Limits) -> str:
    """Return one line on the whole fleet."""
    current = [node for node in nodes if not node["replaced_by"]]
    bad = sum(bool(troubles(node, limits)) for node in current)
    told = ", ".join(f"{count} with {version}" for version, count in versions(nodes))
    return f"{len(current)} nodes, {bad} in trouble" + (f"; {told}" if told else "")


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
