"""Every node of the registry with what is known of it, for whoever looks after the fleet; never a key."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.order_status import config_json
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.reader import read_only
from derb_gateway.registry_file import NodeEntry, RegistryFile
from derb_gateway.releases import version_text


def fleet_json(read: RegistryFile, store: Path, now_ms: int) -> dict[str, Any]:
    """Return the moment and the nodes; what nobody has heard of yet is null. StoreError."""
    heard = _heard(store)
    zones = {place.id: place.zone for place in (*read.bay, *read.container)}
    with closing(OrderBook(orders_path(store))) as book:
        nodes = [_node(node, zones, heard.get(node.id), book, now_ms) for node in read.node]
    return {"at": iso_utc(now_ms), "nodes": nodes}


def _heard(store: Path) -> dict[str, int]:
    if not store.exists():
        return {}
    with read_only(store) as db:
        return _last_seen(db)


def _last_seen(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT node, last_ms FROM node"))


def _node(
    node: NodeEntry, zones: dict[str, str], last_ms: int | None, book: OrderBook, now_ms: int
) -> dict[str, Any]:
    reported = book.reported(node.id)
    health = reported.health if reported else {}
    version = health.get("firmware_version")
    place = node.bay or node.container
    return {
        "node": node.id,
        "place": place,
        "zone": zones.get(place or ""),
        "mount": node.mount,
        "board": node.board,
        "replaced_by": node.replaced_by,
        "last_seen": None if last_ms is None else iso_utc(last_ms),
        "silent_s": None if last_ms is None else max(0, now_ms - last_ms) // 1000,
        "battery_mv": health.get("battery_mv"),
        "rssi_dbm": health.get("rssi_dbm"),
        "firmware": None if version is None else version_text(version),
        "health_at": iso_utc(reported.at_ms) if reported else None,
        "config": config_json(book, node.id)["state"],
        "orders_waiting": sum(
            each.state(now_ms) in ("waiting", "started") for each in book.commands(node.id)
        ),
    }
