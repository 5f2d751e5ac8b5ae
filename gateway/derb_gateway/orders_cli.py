"""`derb gateway config` and `derb gateway command`: what is wanted of a node, and how far it has got."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_gateway.campaign import open_update
from derb_gateway.clock import Clock, iso_utc
from derb_gateway.commands import COMMANDS, Command, command_kind, parse_duration_s
from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError, GatewayError
from derb_gateway.node_settings import node_settings, parse_changes
from derb_gateway.order_status import config_json, node_json
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.registry import load_registry, node_id
from derb_gateway.releases import Releases, releases_path, version_text

_FAILED, _MISUSED = 1, 2

config_app = typer.Typer(help="A node's settings, changed from here.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Its id, as printed on its label.")]


@config_app.command("set")
def set_config(
    node: NodeArgument,
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help="NAME= gives it back")],
    config: ConfigOption,
) -> None:
    """Change settings of a node; it takes them when it next speaks, and returns to its old ones if they do not work.

    \b
    derb gateway config set 240ac4a1b2c3 wake_s=600 --config gateway.toml
    derb gateway config set 240ac4a1b2c3 wake_s= --config gateway.toml     as it was provisioned
    """

    def change(book: OrderBook, node: str, now_ms: int) -> Any:
        book.set_config(node, parse_changes(changes), now_ms)
        return config_json(book, node)

    _with_book(config, node, change)


@config_app.command("show")
def show_config(node: NodeArgument, config: ConfigOption) -> None:
    """Print what a node should have and what it says it has, as JSON.

    \b
    derb gateway config show 240ac4a1b2c3 --config gateway.toml
    """
    _with_book(config, node, lambda book, node, now_ms: node_json(book, node, now_ms))


@config_app.command("fields")
def fields() -> None:
    """List the settings of a node; those without a number can be changed over USB only.

    \b
    derb gateway config fields
    """
    for setting in node_settings().values():
        default = setting.shown(setting.default)
        where = f"{setting.remote:>3}" if setting.remote else "USB"
        bounds = f"{setting.bounds()} {setting.unit}".strip()
        typer.echo(f"{where}  {setting.name:17}{default!s:10}{bounds:28}{setting.help}")


def command(
    node: NodeArgument,
    name: Annotated[str, typer.Argument(metavar="COMMAND", help=", ".join(COMMANDS))],
    config: ConfigOption,
    within: Annotated[str, typer.Option(help="How long it may wait for the node: 90s, 10m, 2h, 7d.")] = "1d",
    argument: Annotated[
        int | None, typer.Option("--for", help="Seconds of identify, minutes of stay_awake.")
    ] = None,
) -> None:
    """Order one thing from a node; it does it when it next speaks, once, or not after the deadline.

    \b
    derb gateway command 240ac4a1b2c3 identify --for 30 --config gateway.toml
    derb gateway command 240ac4a1b2c3 recalibrate --within 2h --config gateway.toml
    """

    def order(book: OrderBook, node: str, now_ms: int) -> Any:
        added = add_command(book, node, name, argument, within, now_ms)
        return {"node": node, "id": added.id, "command": added.name, "deadline": iso_utc(added.deadline_ms)}

    if name == "update":
        typer.echo("update: use `derb gateway update`, which has the release at hand", err=True)
        raise typer.Exit(_MISUSED)
    _with_book(config, node, order)


def update(
    node: NodeArgument,
    release: Annotated[
        Path, typer.Argument(metavar="FILE", help="A release, as `derb release build` makes it.")
    ],
    config: ConfigOption,
    within: Annotated[str, typer.Option(help="How long the node may take to fetch it: 2h, 7d.")] = "7d",
) -> None:
    """Let a node fetch a release, try it, and keep it if a receipt reaches it there.

    \b
    derb gateway update 240ac4a1b2c3 derb-0.2.0.derb --config gateway.toml
    """

    def order(book: OrderBook, node: str, now_ms: int) -> Any:
        if under_way := open_update(book.commands(node), now_ms):
            raise ConfigError([f"node {node} {under_way}: wait for its end, or let its time pass"])
        taken = Releases(releases_path(load_config(config).store.path)).add(release)
        added = add_command(book, node, "update", taken.version, within, now_ms)
        return {
            "node": node,
            "id": added.id,
            "update": version_text(taken.version),
            "files": len(taken.files),
        }

    _with_book(config, node, order)


def add_command(
    book: OrderBook, node: str, name: str, argument: int | None, within: str, now_ms: int
) -> Command:
    """Queue a checked command; ConfigError."""
    kind = command_kind(name)
    chosen = kind.default if argument is None else argument
    if not 0 <= chosen <= kind.most:
        raise ConfigError([f"{name}: --for must be 0 to {kind.most} {kind.unit}".rstrip()])
    deadline_ms = now_ms + parse_duration_s(within) * 1000
    return book.add_command(node, name.replace("-", "_"), chosen, deadline_ms, now_ms)


def _with_book(path: Path, node: str, work: Callable[[OrderBook, str, int], Any]) -> None:
    """Do one thing with the orders of a node that the registry knows, and print what it returns."""
    try:
        settings = load_config(path)
        known = known_node(load_registry(settings.registry).keys, node)
        book = OrderBook(orders_path(settings.store.path))
        try:
            typer.echo(json.dumps(work(book, known, Clock().wall_ms()), indent=2))
        finally:
            book.close()
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_MISUSED) from error
    except GatewayError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_FAILED) from error


def known_node(keys: dict[str, bytes], text: str) -> str:
    """Return a node's id; ConfigError if it is none or the registry does not have it."""
    try:
        node = node_id(text)
    except ValueError as error:
        raise ConfigError([f"node {text!r} {error}"]) from None
    if node not in keys:
        raise ConfigError([f"node {node} is not in the registry"])
    return node
