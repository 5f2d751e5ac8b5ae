"""The status for a person at a terminal: alarms first, then what is behind, then nodes. The JSON stays for programs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_NODES_SHOWN = 30
_QUIET_S = 86_400


def status_view(told: dict[str, Any], now: datetime) -> RenderableType:
    """Return what `derb gateway status --json` says, as tables; `now`: UTC."""
    return Group(*_parts(told, now))


def _parts(told: dict[str, Any], now: datetime) -> Iterator[RenderableType]:
    yield _alarms(told["alarms"], now)
    yield Text(_sum(told))
    yield _sinks(told["sinks"])
    if told["relays"]:
        yield _relays(told["relays"], now)
    if told["quarantine"]:
        refused = ", ".join(f"{reason} {number}" for reason, number in sorted(told["quarantine"].items()))
        yield Text(f"refused messages, kept: {refused}", style="yellow")
    if told["waiting_nodes"]:
        yield _waiting(told["waiting_nodes"], now)
    yield _nodes(told, now)


def _alarms(alarms: list[dict[str, Any]], now: datetime) -> RenderableType:
    if not alarms:
        return Text("no alarms", style="green")
    table = _table("alarms", "alarm", "times", "last", "detail", style="red")
    for each in alarms:
        table.add_row(each["alarm"], str(each["times"]), _ago(each["last"], now), each["detail"])
    return table


def _sum(told: dict[str, Any]) -> str:
    store, counters = told["store"], told["counters"]
    taken, repeats = counters.get("readings_stored", 0), counters.get("readings_known", 0)
    return (
        f"{taken} readings taken, {repeats} repeats recognised; "
        f"{told['readings_kept']} kept, {told['readings_missing']} missing\n"
        f"store: {store['used_bytes'] / 1e6:.1f} MB in use, {store['file_bytes'] / 1e6:.1f} MB on the disk"
    )


def _sinks(sinks: dict[str, dict[str, int]]) -> RenderableType:
    if not sinks:
        return Text("no sink: readings go nowhere", style="yellow")
    table = _table("sinks", "sink", "behind", "refused")
    for name, sink in sinks.items():
        table.add_row(name, str(sink["lag"]), str(sink["refused"]), style="yellow" if sink["refused"] else "")
    return table


def _relays(relays: dict[str, dict[str, Any]], now: datetime) -> Table:
    table = _table("relays", "relay", "last heard", "channel", "uptime")
    for name, relay in relays.items():
        up = _span(int(relay["uptime_s"])) if "uptime_s" in relay else ""
        table.add_row(name, _ago(relay.get("last_heard"), now), str(relay.get("channel", "")), up)
    return table


def _waiting(nodes: dict[str, dict[str, Any]], now: datetime) -> Table:
    table = _table("unknown nodes, waiting to be let in", "node", "last seen", style="yellow")
    for node, said in nodes.items():
        table.add_row(node, _ago(said.get("last_seen"), now))
    return table


def _nodes(told: dict[str, Any], now: datetime) -> RenderableType:
    """Return the nodes, the longest silent first: whom nobody hears is whom to look for."""
    nodes = sorted(told["nodes"].items(), key=lambda each: str(each[1]["last_seen"]))
    left = len(nodes) - _NODES_SHOWN
    title = f"nodes, the {_NODES_SHOWN} longest silent of {len(nodes)}" if left > 0 else "nodes"
    table = _table(title, "node", "last seen", "frames", "missing", "late")
    for node, said in nodes[:_NODES_SHOWN]:
        order = told["out_of_order"].get(node, {"missing": 0, "late": 0})
        quiet = _age_s(said["last_seen"], now) > _QUIET_S
        numbers = (said["frames"], order["missing"], order["late"])
        table.add_row(node, _ago(said["last_seen"], now), *map(str, numbers), style="yellow" if quiet else "")
    return table if nodes else Text("no node was heard yet")


def _table(title: str, *columns: str, style: str = "") -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", style=style, box=None, pad_edge=False
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if not number or column == "detail" else "right")
    return table


def _age_s(iso: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(iso)).total_seconds()


def _ago(iso: str | None, now: datetime) -> str:
    """Return how long ago a moment was; a moment to come is shown as it is: some clock is wrong."""
    if iso is None:
        return "never"
    seconds = _age_s(iso, now)
    return f"{_span(int(seconds))} ago" if seconds >= 0 else iso


def _span(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)
