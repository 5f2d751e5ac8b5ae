"""`derb gateway quarantine`: what was refused, at the street's door and by sinks; looked at, tried again, dropped."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError, GatewayError
from derb_gateway.frame import FrameError, decode_uplink, node_of_topic
from derb_gateway.registry import Registry, load_registry, node_id
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.street_quarantine import Held, StreetQuarantine, Which

_FAILED, _MISUSED = 1, 2

quarantine_app = typer.Typer(
    help="Messages that were refused at the street's door, and readings that a sink refused.",
    no_args_is_help=True,
)

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]
SinkOption = Annotated[str | None, typer.Option("--sink", metavar="NAME", help="What this sink refused.")]
StreetOption = Annotated[bool, typer.Option("--street", help="What was refused at the street's door.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Of the street's: bad_tag, bad_version, …")
]
NodeOption = Annotated[
    str | None, typer.Option("--node", metavar="ID", help="Of the street's: from this node.")
]
IdsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="As `list` prints them: s7 of the street, 7 of a sink."),
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them, of the street and of all sinks.")]


class _Books(NamedTuple):
    sinks: RefusedBook
    street: StreetQuarantine
    registry: Registry


@quarantine_app.command("list")
def list_refused(
    config: ConfigOption,
    sink: SinkOption = None,
    street: StreetOption = False,
    reason: ReasonOption = None,
    node: NodeOption = None,
) -> None:
    """Print what is kept as JSON, one line a message or reading; all if nothing is chosen.

    \b
    derb gateway quarantine list --config gateway.toml
    derb gateway quarantine list --street --reason bad_tag --config gateway.toml
    """
    of_street, which = _of_street(street, reason, node)

    def found(books: _Books) -> list[dict[str, Any]]:
        messages = [] if sink is not None else [held.to_json() for held in books.street.listed(which)]
        readings = [] if of_street else [refused.to_json() for refused in books.sinks.listed(sink)]
        return messages + readings

    for each in _with_books(config, found):
        typer.echo(json.dumps(each))


@quarantine_app.command("show")
def show(
    number: Annotated[str, typer.Argument(metavar="ID", help="As `list` prints it.")], config: ConfigOption
) -> None:
    """Print one of them whole; of a message also what it says, if the registry knows its node.

    \b
    derb gateway quarantine show s7 --config gateway.toml
    """
    readings, messages = _numbers([number])

    def found(books: _Books) -> list[dict[str, Any]]:
        if messages:
            return [_message_json(held, books.registry) for held in books.street.listed(Which(messages))]
        return [
            {**each.to_json(), "reading": {**each.reading._asdict(), "body": json.loads(each.reading.body)}}
            for each in books.sinks.listed(ids=readings)
        ]

    whole = _with_books(config, found)
    if not whole:
        _fail(f"there is no {number}", _FAILED)
    typer.echo(json.dumps(whole[0], indent=2))


@quarantine_app.command("replay")
def replay(
    config: ConfigOption,
    ids: IdsArgument = None,
    sink: SinkOption = None,
    street: StreetOption = False,
    reason: ReasonOption = None,
    node: NodeOption = None,
    every: AllOption = False,
) -> None:
    """Have them tried again by a running gateway; what is refused again stays.

    \b
    derb gateway quarantine replay --node 240ac4a1b2c3 --config gateway.toml

    A message of the street is taken once its node is in the registry (SIGHUP makes a gateway read it) and its tag fits its key.
    Its readings have `time_quality` uncertain: of their time only when the message first came is known.
    """
    count = _change(
        config, (ids, sink, street, reason, node, every), lambda book: book.replay, lambda book: book.replay
    )
    typer.echo(f"{count} will be tried again")


@quarantine_app.command("drop")
def drop(
    config: ConfigOption,
    ids: IdsArgument = None,
    sink: SinkOption = None,
    street: StreetOption = False,
    reason: ReasonOption = None,
    node: NodeOption = None,
    every: AllOption = False,
) -> None:
    """Forget them for good.

    \b
    derb gateway quarantine drop s7 s9 --config gateway.toml
    """
    count = _change(
        config, (ids, sink, street, reason, node, every), lambda book: book.drop, lambda book: book.drop
    )
    typer.echo(f"{count} dropped")


_Chosen = tuple[list[str] | None, str | None, bool, str | None, str | None, bool]


def _change(
    config: Path,
    chosen: _Chosen,
    of_sinks: Callable[[RefusedBook], Callable[[str | None, list[int]], int]],
    of_street: Callable[[StreetQuarantine], Callable[[Which], int]],
) -> int:
    """Do something to what is chosen, in one book or both; return to how many."""
    ids, sink, street, reason, node, every = chosen
    at_street, which = _of_street(street, reason, node)
    if sum((bool(ids), sink is not None, at_street, every)) != 1:
        _fail("say which: ids, or --sink NAME, or --street (--reason, --node), or --all", _MISUSED)
    readings, messages = _numbers(ids or [])

    def work(books: _Books) -> int:
        count = 0
        if readings or sink is not None or every:
            count += of_sinks(books.sinks)(sink, readings)
        if messages or at_street or every:
            count += of_street(books.street)(which._replace(ids=messages))
        return count

    return int(_with_books(config, work))


def _of_street(street: bool, reason: str | None, node: str | None) -> tuple[bool, Which]:
    try:
        from_node = None if node is None else node_id(node)
    except ValueError as error:
        _fail(f"node {node!r} {error}", _MISUSED)
    return street or reason is not None or node is not None, Which(reason=reason, node=from_node)


def _numbers(ids: list[str]) -> tuple[list[int], list[int]]:
    """Return the sinks' numbers and the street's."""
    for each in ids:
        if not each.removeprefix("s").isdecimal():
            _fail(f"{each!r} is no id: `derb gateway quarantine list` prints them", _MISUSED)
    readings = [int(each) for each in ids if not each.startswith("s")]
    return readings, [int(each[1:]) for each in ids if each.startswith("s")]


def _message_json(held: Held, registry: Registry) -> dict[str, Any]:
    whole = {**held.to_json(), "raw": held.raw.hex(), "cut": held.length > len(held.raw)}
    try:
        node = node_of_topic(held.topic)
        return {**whole, "now": decode_uplink(node, registry.key(node), held.raw).to_json()}
    except FrameError as refused:
        return {**whole, "now": f"{refused.reason}: {refused}"}


def _with_books(config: Path, work: Callable[[_Books], Any]) -> Any:
    try:
        settings = load_config(config)
        store = settings.store.path
        registry = load_registry(settings.registry) if settings.registry.exists() else Registry()
        return work(_Books(RefusedBook(refused_path(store)), StreetQuarantine(store), registry))
    except ConfigError as error:
        _fail(str(error), _MISUSED)
    except GatewayError as error:
        _fail(str(error), _FAILED)


def _fail(told: str, code: int) -> NoReturn:
    typer.echo(told, err=True)
    raise typer.Exit(code)
