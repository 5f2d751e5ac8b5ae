"""What a registry has of each node and place, as JSON; never a key."""

from collections.abc import Iterator
from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.closures import FOR_EVER_MS, Period
from derb_gateway.errors import ConfigError
from derb_gateway.registry import registry_of
from derb_gateway.registry_file import Bay, NodeEntry, RegistryFile, node_id
from derb_gateway.site_time import unix_ms
from derb_gateway.toml_model import nearest


def places_json(read: RegistryFile, now_ms: int) -> Iterator[dict[str, Any]]:
    """Yield each bay and container with its node, and until when it is closed if it is."""
    node_at = {
        (kind, place): node.id
        for node in read.node
        for kind, place in (("bay", node.bay), ("container", node.container))
        if place is not None and node.replaced_by is None
    }
    closures = registry_of(read).closures
    for kind, places in (("bay", read.bay), ("container", read.container)):
        for place in places:
            closed = closures.at((kind, place.id), now_ms)
            yield {"kind": kind, **_place(place), "node": node_at.get((kind, place.id)), **_closed(closed)}


def nodes_json(read: RegistryFile) -> Iterator[dict[str, Any]]:
    """Yield each node with its place."""
    return (_node(node, read.site.timezone) for node in read.node)


def shown(read: RegistryFile, name: str, now_ms: int) -> dict[str, Any]:
    """Return what is called so: a node, bay, container or zone; ConfigError."""
    places = list(places_json(read, now_ms))
    for place in places:
        if place["id"] == name:
            return {**place, "nodes": [n for n in nodes_json(read) if n[place["kind"]] == name]}
    inside = [place for place in places if place["zone"] == name]
    if inside:
        return {"kind": "zone", "id": name, "places": inside}
    for node in nodes_json(read):
        if node["id"] == _as_node(name):
            return node
    known = [place["id"] for place in places] + [node.id for node in read.node]
    told = nearest(name, known) if known else ""
    raise ConfigError([f"{name}: the registry has no node, bay, container or zone of this name{told}"])


def _as_node(text: str) -> str:
    try:
        return node_id(text)
    except ValueError:
        return ""


def _place(place: Bay) -> dict[str, Any]:
    return {key: value for key, value in place.model_dump().items() if value != ()}


def _node(node: NodeEntry, timezone: str) -> dict[str, Any]:
    moments = {
        name: None if moment is None else iso_utc(unix_ms(moment, timezone))
        for name, moment in (
            ("since", node.since),
            ("replaced_at", node.replaced_at),
            ("key_until", node.key_until),
        )
    }
    return {"kind": "node", **node.model_dump(exclude={"key", *moments}), **moments}


def _closed(period: Period | None) -> dict[str, Any]:
    if period is None:
        return {"closed": False}
    until = None if period.until_ms >= FOR_EVER_MS else iso_utc(period.until_ms)
    return {"closed": True, "closed_until": until, "why": period.why}
