"""`derb gateway registry replace`: a new node takes over a bay or container, and the old one's last words still count."""

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_gateway.clock import Clock
from derb_gateway.commands import parse_duration_s
from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError
from derb_gateway.exits import exits
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.registry_edit_cli import ConfigOption, as_node, changed, now_of, read_key
from derb_gateway.registry_text import RegistryText

_CARRIED = ("bay", "container", "mount", "board")


def replace(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The node that goes.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The node that comes.")],
    config: ConfigOption,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file", help="A file with the new node's key, - for stdin; none if it is registered."
        ),
    ] = None,
    grace: Annotated[
        str, typer.Option(help="How long the old node may still send what it holds: 14d.")
    ] = "14d",
) -> None:
    """Let a new node take over a place and its desired settings; the place keeps its history.

    \b
    derb gateway registry replace 240ac4a1b2c3 7cdfa1000002 --key-file key.txt --config gateway.toml
    """
    with changed(config) as (text, read):
        now = now_of(read)
        until = now + timedelta(seconds=parse_duration_s(grace))
        hand_over(text, as_node(old), as_node(new), read_key(key_file) if key_file else None, now, until)
    with exits():
        taken = carry_settings(orders_path(load_config(config).store.path), as_node(old), as_node(new))
    typer.echo(f"{new}: stands in for {old}, whose key is good until {until.isoformat()}")
    if taken:
        typer.echo(f"settings: {', '.join(taken)}")


def hand_over(
    text: RegistryText, old: str, new: str, key: str | None, now: datetime, key_until: datetime
) -> None:
    """Write both [[node]] tables; ConfigError. From `now` on the old node's readings bear no place."""
    if old == new:
        raise ConfigError([f"node {old} cannot replace itself: name two nodes"])
    number, had = _find(text, old)
    if had.get("replaced_by"):
        raise ConfigError([f"node {old} is replaced by {had['replaced_by']} already: replace that one"])
    carried = {name: had.get(name) for name in _CARRIED}
    text.change(number, {"replaced_by": new, "replaced_at": now, "key_until": key_until})
    if key is not None:
        text.add("node", {"id": new, "key": key, **carried, "since": now})
        return
    number, known = _find(text, new)
    if place := known.get("bay") or known.get("container"):
        raise ConfigError([f"node {new} watches {place} already: take it from there first"])
    text.change(number, {**carried, "board": known.get("board") or carried["board"], "since": now})


def _find(text: RegistryText, node: str) -> tuple[int, dict[str, Any]]:
    for number, keys in text.tables("node"):
        if as_node(keys["id"]) == node:
            return number, keys
    raise ConfigError([f"node {node} is not in the registry: a new one needs --key-file"])


def carry_settings(path: Path, old: str, new: str) -> list[str]:
    """Let what is wanted of the old node be wanted of the new one; return the settings' names. StoreError."""
    if not path.exists():
        return []
    with closing(OrderBook(path)) as book:
        wanted = book.desired(old)
        if wanted is None or not wanted.settings:
            return []
        return sorted(book.set_config(new, wanted.settings, Clock().wall_ms()).settings)
