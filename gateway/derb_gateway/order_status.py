"""What was wanted of nodes and what came of it, as JSON for people."""

from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.node_settings import node_settings
from derb_gateway.orders import OrderBook
from derb_gateway.orders_rows import Reported

_COMMANDS_SHOWN = 8


def node_json(book: OrderBook, node: str, now_ms: int) -> dict[str, Any]:
    """Return a node's configuration, latest health and latest commands."""
    reported = book.reported(node)
    return {
        "config": config_json(book, node),
        "health": health_json(reported),
        "commands": [
            {
                "id": command.id,
                "command": command.name,
                "argument": command.argument,
                "state": command.state(now_ms),
                "value": command.value,
                "asked": iso_utc(command.asked_ms),
                "deadline": iso_utc(command.deadline_ms),
                "answered": iso_utc(command.answered_ms) if command.answered_ms is not None else None,
            }
            for command in book.commands(node)[-_COMMANDS_SHOWN:]
        ],
    }


def config_json(book: OrderBook, node: str) -> dict[str, Any]:
    """Return desired and reported configuration, and whether they agree."""
    desired, reported = book.desired(node), book.reported(node)
    fields = reported.health if reported else {}
    wanted = desired.version if desired else 0
    settings = desired.settings if desired else {}
    return {
        "desired_version": wanted,
        "desired": {name: node_settings()[name].shown(value) for name, value in settings.items()},
        "reported_version": fields.get("config_version"),
        "state": _state(wanted, reported),
    }


def _state(wanted: int, reported: Reported | None) -> str:
    """Return as_provisioned, waiting, in_force, or refused: out of bounds, or left because nothing came through."""
    fields = reported.health if reported else {}
    if not wanted and not fields.get("config_version"):
        return "as_provisioned"
    if fields.get("config_version") == wanted:
        return "in_force"
    return "refused" if fields.get("config_refused") == wanted else "waiting"


def health_json(reported: Reported | None) -> dict[str, Any] | None:
    """Return the latest health reading and when it was made."""
    return {"at": iso_utc(reported.at_ms), **reported.health} if reported else None


def orders_json(book: OrderBook, now_ms: int) -> dict[str, Any]:
    """Return `node_json` of every node that something is known of."""
    return {node: node_json(book, node, now_ms) for node in book.nodes()}
