"""`derb gateway quarantine`: readings that a sink refused for good; looked at, tried again, dropped."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError, GatewayError
from derb_gateway.sinks.refused import RefusedBook, refused_path

_FAILED, _MISUSED = 1, 2

quarantine_app = typer.Typer(help="Readings that a sink refused for good.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", help="the gateway's TOML file")]
SinkOption = Annotated[str | None, typer.Option("--sink", metavar="NAME", help="of this sink only")]
IdsArgument = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="as `list` prints them")]
AllOption = Annotated[bool, typer.Option("--all", help="all of them, of all sinks")]


@quarantine_app.command("list")
def list_refused(config: ConfigOption, sink: SinkOption = None) -> None:
    """Print what is kept as JSON, one line a reading."""
    for refused in _with_book(config, lambda book: book.listed(sink)):
        typer.echo(json.dumps(refused.to_json()))


@quarantine_app.command("show")
def show(number: Annotated[int, typer.Argument(metavar="ID")], config: ConfigOption) -> None:
    """Print one of them whole."""
    found = _with_book(config, lambda book: book.listed(ids=[number]))
    if not found:
        _fail(f"there is no {number}", _FAILED)
    whole = {
        **found[0].to_json(),
        "reading": {**found[0].reading._asdict(), "body": json.loads(found[0].reading.body)},
    }
    typer.echo(json.dumps(whole, indent=2))


@quarantine_app.command("replay")
def replay(
    config: ConfigOption, ids: IdsArgument = None, sink: SinkOption = None, every: AllOption = False
) -> None:
    """Have readings tried again by a running gateway, within replay_check_s; what is refused again stays."""
    _chosen(ids, sink, every)
    typer.echo(f"{_with_book(config, lambda book: book.replay(sink, ids or ()))} will be tried again")


@quarantine_app.command("drop")
def drop(
    config: ConfigOption, ids: IdsArgument = None, sink: SinkOption = None, every: AllOption = False
) -> None:
    """Forget readings for good."""
    _chosen(ids, sink, every)
    typer.echo(f"{_with_book(config, lambda book: book.drop(sink, ids or ()))} dropped")


def _chosen(ids: list[int] | None, sink: str | None, every: bool) -> None:
    if sum((bool(ids), sink is not None, every)) != 1:
        _fail("say which: ids, or --sink NAME, or --all", _MISUSED)


def _with_book(config: Path, work: Callable[[RefusedBook], Any]) -> Any:
    try:
        return work(RefusedBook(refused_path(load_config(config).store.path)))
    except ConfigError as error:
        _fail(str(error), _MISUSED)
    except GatewayError as error:
        _fail(str(error), _FAILED)


def _fail(told: str, code: int) -> None:
    typer.echo(told, err=True)
    raise typer.Exit(code)
