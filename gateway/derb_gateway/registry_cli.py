"""`derb gateway registry`: the nodes and places of a site; looked at here, changed in `registry_edit_cli`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_gateway.clock import Clock
from derb_gateway.config import load_config
from derb_gateway.enrolment_cli import enrol, new_secret
from derb_gateway.exits import exits
from derb_gateway.registry import load_registry_file
from derb_gateway.registry_csv import to_csv
from derb_gateway.registry_edit_cli import add, close, import_, open_
from derb_gateway.registry_replace_cli import replace
from derb_gateway.registry_view import nodes_json, places_json, shown
from derb_gateway.registry_write import replace_file
from derb_gateway.waiting_cli import accept, waiting

registry_app = typer.Typer(
    help="The site's nodes, bays and containers. Changes keep the file's comments and reach a running gateway.",
    no_args_is_help=True,
)
for name, command in (
    ("waiting", waiting),
    ("accept", accept),
    ("add", add),
    ("enrol", enrol),
    ("new-secret", new_secret),
    ("import", import_),
    ("close", close),
    ("open", open_),
    ("replace", replace),
):
    registry_app.command(name)(command)

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]


@registry_app.command("list")
def list_places(config: ConfigOption, as_json: JsonOption = False) -> None:
    """List places with their nodes, and nodes without a place.

    \b
    derb gateway registry list --config gateway.toml
    """
    with exits():
        read = load_registry_file(load_config(config).registry)
        places = list(places_json(read, Clock().wall_ms()))
        nodes = list(nodes_json(read))
    if as_json:
        typer.echo(json.dumps({"places": places, "nodes": nodes}, indent=2))
        return
    from rich.console import Console  # takes memory that the daemon has no use for
    from rich.table import Table

    table = Table("place", "kind", "zone", "node", "", box=None)
    for place in places:
        table.add_row(place["id"], place["kind"], place["zone"], place["node"] or "none", _state(place))
    for node in nodes:
        if node["replaced_by"]:
            table.add_row("", "node", "", node["id"], f"replaced by {node['replaced_by']}")
        elif not (node["bay"] or node["container"]):
            table.add_row("", "node", "", node["id"], "without a place")
    Console().print(table)


def _state(place: dict[str, Any]) -> str:
    if not place["closed"]:
        return ""
    until = f" until {place['closed_until']}" if place["closed_until"] else ""
    return f"closed{until}" + (f": {place['why']}" if place["why"] else "")


@registry_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A node, bay, container or zone.")], config: ConfigOption
) -> None:
    """Print all that the registry has of one node, place or zone, as JSON; never a key.

    \b
    derb gateway registry show maarif-001 --config gateway.toml
    """
    with exits():
        read = load_registry_file(load_config(config).registry)
        typer.echo(json.dumps(shown(read, name, Clock().wall_ms()), indent=2))


@registry_app.command("check")
def check(
    config: ConfigOption,
    file: Annotated[Path | None, typer.Argument(help="Another file than the gateway's.")] = None,
) -> None:
    """Say what is wrong with a registry, by file and line, before a gateway takes it.

    \b
    derb gateway registry check --config gateway.toml new.toml
    """
    with exits():
        path = file or load_config(config).registry
        read = load_registry_file(path)
    counts = {"node": len(read.node), "bay": len(read.bay), "container": len(read.container)}
    told = ", ".join(f"{count} {what}" + "s" * (count != 1) for what, count in counts.items())
    typer.echo(f"{path}: good: {told}")


@registry_app.command("export")
def export(
    config: ConfigOption,
    out: Annotated[Path | None, typer.Option("--out", help="A file, mode 0600; else it is printed.")] = None,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="The nodes' keys too, into a file only.")
    ] = False,
) -> None:
    """Write places and nodes as CSV, for a spreadsheet.

    \b
    derb gateway registry export --out street.csv --config gateway.toml
    """
    if with_keys and out is None:
        typer.echo("--with-keys needs --out FILE: keys are not for a screen", err=True)
        raise typer.Exit(2)
    with exits():
        text = to_csv(load_registry_file(load_config(config).registry), with_keys=with_keys)
        if out is not None:
            replace_file(out, text)
            return
    sys.stdout.write(text)
