"""`derb gateway registry waiting|accept`: nodes that speak and are not registered."""

import json
from pathlib import Path
from typing import Annotated

import typer

from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError
from derb_gateway.exits import exits
from derb_gateway.reader import read_only
from derb_gateway.registry_edit_cli import (
    BoardOption,
    ConfigOption,
    KeyFile,
    MountOption,
    NodeArgument,
    WatchedOption,
    add_node,
    as_node,
    changed,
    read_key,
)
from derb_gateway.waiting_room import Waiting, waiting_json, waiting_nodes


def waiting(
    config: ConfigOption, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """List nodes that are not in the registry and speak, the latest heard first.

    \b
    derb gateway registry waiting --config gateway.toml
    """
    with exits():
        found = {each.node: waiting_json(each) for each in _waiting(load_config(config).store.path)}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console  # takes memory that the daemon has no use for
    from rich.table import Table

    table = Table("node", "first seen", "last seen", "frames", "relay", "dBm", box=None)
    for node, each in found.items():
        table.add_row(node, *("" if value is None else str(value) for value in each.values()))
    Console().print(table if found else "nobody waits")


def accept(
    node: NodeArgument,
    config: ConfigOption,
    key_file: KeyFile,
    bay: WatchedOption = None,
    container: WatchedOption = None,
    board: BoardOption = None,
    mount: MountOption = None,
) -> None:
    """Register a node that waits; what it has sent meanwhile counts from when it came.

    \b
    derb gateway registry accept 240ac4a1b2c4 --key-file key.txt --bay maarif-002 --config gateway.toml
    """
    with changed(config) as (text, _):
        here = {each.node: each for each in _waiting(load_config(config).store.path)}
        if (guest := here.get(as_node(node))) is None:
            raise ConfigError(
                [
                    f"node {node} does not wait here: `registry waiting` lists who does, `registry add` takes any"
                ]
            )
        add_node(text, node, read_key(key_file), bay=bay, container=container, board=board, mount=mount)
    typer.echo(
        f"{guest.node}: registered; it has sent {guest.frames} frames since {waiting_json(guest)['first_seen']}"
    )


def _waiting(store: Path) -> list[Waiting]:
    if not store.exists():
        return []
    with read_only(store) as db:
        return waiting_nodes(db)
