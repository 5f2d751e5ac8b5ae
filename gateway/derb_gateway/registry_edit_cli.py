"""`derb gateway registry add|import|close|open`: changes that are checked, written whole, and told to a running gateway."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_gateway.clock import Clock
from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError
from derb_gateway.exits import exits
from derb_gateway.registry import parse_registry
from derb_gateway.registry_csv import merge_csv
from derb_gateway.registry_file import RegistryFile, key_hex, node_id
from derb_gateway.registry_text import RegistryText
from derb_gateway.registry_write import edited
from derb_gateway.running import reload_running
from derb_gateway.site_time import local, parse_moment, unix_ms
from derb_gateway.toml_model import nearest, read_text

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]
NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="Its id, as printed on its label.")]
KeyFile = Annotated[
    Path, typer.Option("--key-file", help="A file with the node's key, 64 hex digits; - for stdin.")
]
WatchedOption = Annotated[str | None, typer.Option(help="What it watches.")]
BoardOption = Annotated[str | None, typer.Option(help="As in `derb boards`.")]
MountOption = Annotated[str | None, typer.Option(help="What it is bolted to, in words.")]
PlaceArgument = Annotated[str, typer.Argument(metavar="PLACE", help="A bay, container or zone.")]


@contextmanager
def changed(config: Path) -> Iterator[tuple[RegistryText, RegistryFile]]:
    """Hand out the registry to be changed, then tell a running gateway; errors end the command."""
    with exits():
        settings = load_config(config)
        with edited(settings.registry) as text:
            yield text, parse_registry(str(text), settings.registry)
        typer.echo(reload_running(settings.store.path), err=True)


def add(
    node: NodeArgument,
    config: ConfigOption,
    key_file: KeyFile,
    bay: WatchedOption = None,
    container: WatchedOption = None,
    board: BoardOption = None,
    mount: MountOption = None,
    zone: Annotated[str | None, typer.Option(help="Of a bay or container that is new.")] = None,
    lat: Annotated[float | None, typer.Option(help="Likewise.")] = None,
    lon: Annotated[float | None, typer.Option(help="Likewise.")] = None,
    empty_mm: Annotated[
        int | None, typer.Option(help="Of a new container: from sensor to floor, in mm.")
    ] = None,
    full_mm: Annotated[
        int | None, typer.Option(help="Of a new container: from sensor to brim, in mm.")
    ] = None,
) -> None:
    """Register a node, and its bay or container if that is new.

    \b
    derb gateway registry add 240ac4a1b2c3 --key-file key.txt --bay maarif-001 --config gateway.toml
    """
    place = {"zone": zone, "lat": lat, "lon": lon, "empty_mm": empty_mm, "full_mm": full_mm}
    with changed(config) as (text, _):
        if any(value is not None for value in place.values()):
            kind = "bay" if bay is not None else "container"
            text.add(kind, {"id": bay if bay is not None else container, **place})
        add_node(text, node, read_key(key_file), bay=bay, container=container, board=board, mount=mount)
    typer.echo(f"{node}: registered")


def add_node(text: RegistryText, node: str, key: str, **keys: Any) -> None:
    """Write a [[node]]; ConfigError."""
    text.add("node", {"id": as_node(node), "key": key, **keys})


def as_node(text: str) -> str:
    """Return a node's id; ConfigError."""
    try:
        return node_id(text)
    except ValueError as error:
        raise ConfigError([f"node {text!r} {error}: it is printed on the node's label"]) from None


def read_key(path: Path) -> str:
    """Return a key from a file or stdin; ConfigError, which never shows it."""
    written = sys.stdin.readline() if str(path) == "-" else read_text(path)
    try:
        return key_hex(written.strip())
    except ValueError as error:
        raise ConfigError(
            [f"--key-file {path}: the key {error}: one line, as the provisioning wrote it"]
        ) from None


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns as `export` writes them.")],
    config: ConfigOption,
) -> None:
    """Take places and nodes from a CSV file; what it does not name stays as it is.

    \b
    derb gateway registry import street.csv --config gateway.toml
    """
    with changed(config) as (text, _):
        added, altered = merge_csv(file, text)
    typer.echo(f"{added} added, {altered} changed")


def close(
    place: PlaceArgument,
    config: ConfigOption,
    begins: Annotated[
        str | None,
        typer.Option("--from", help="Local time, 2026-12-01T08:00; with --weekly 06:00; now if not given."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Likewise; until it is opened if not given.")] = None,
    weekly: Annotated[str | None, typer.Option(help="Days: tue,fri.")] = None,
    why: Annotated[str, typer.Option(help="For the city to read: works, market day.")] = "",
) -> None:
    """Report a bay, a container or all of a zone as closed for a time; it opens again by itself.

    \b
    derb gateway registry close maarif-001 --until 2026-12-03T18:00 --why works --config gateway.toml
    derb gateway registry close maarif --weekly tue,fri --from 06:00 --until 14:00 --why market --config gateway.toml
    """
    with changed(config) as (text, read):
        now = now_of(read)
        keys = {
            _kind(read, place): place,
            "from": now if begins is None else _moment("--from", begins),
            "until": None if until is None else _moment("--until", until),
            "weekly": weekly.lower().replace(" ", "").split(",") if weekly else None,
            "why": why or None,
        }
        text.add("closed", keys)
    typer.echo(f"{place}: closed" + (f" until {until}" if until and not weekly else ""))


def open_(
    place: PlaceArgument,
    config: ConfigOption,
    weekly: Annotated[bool, typer.Option("--weekly", help="End its weekly closures too, for good.")] = False,
) -> None:
    """End what closes a place now.

    \b
    derb gateway registry open maarif-001 --config gateway.toml
    """
    with changed(config) as (text, read):
        ended = _end(text, read, {_kind(read, place): place}, weekly=weekly)
    typer.echo(f"{place}: open" + (f" ({ended} closures ended)" if ended > 1 else ""))


def _end(text: RegistryText, read: RegistryFile, place: dict[str, str], *, weekly: bool) -> int:
    """End the closures of exactly this place, now; ConfigError if there are none, or only weekly ones."""
    now, timezone = now_of(read), read.site.timezone
    ended, weekly_ones = 0, False
    for number, keys in list(text.tables("closed")):
        if not place.items() <= keys.items():
            continue
        weekly_ones = weekly_ones or bool(keys.get("weekly"))
        begins = parse_moment(keys["from"])
        if isinstance(begins, time):
            if weekly:
                text.remove(number)
                ended += 1
        elif _is_in_force(begins, keys.get("until"), now, timezone):
            _end_once(text, number, unix_ms(begins, timezone) == unix_ms(now, timezone), now)
            ended += 1
    if not ended:
        (name,) = place.values()
        hint = "; it has weekly closures: --weekly ends them for good" if weekly_ones else ""
        raise ConfigError([f"{name}: nothing closes it now{hint}; `registry show {name}` says what does"])
    return ended


def _end_once(text: RegistryText, number: int, has_just_begun: bool, now: datetime) -> None:
    if has_just_begun:
        text.remove(number)
    else:
        text.change(number, {"until": now})


def _is_in_force(begins: datetime, until: object, now: datetime, timezone: str) -> bool:
    now_ms = unix_ms(now, timezone)
    ends = None if until is None else parse_moment(until)
    has_ended = isinstance(ends, datetime) and unix_ms(ends, timezone) <= now_ms
    return unix_ms(begins, timezone) <= now_ms and not has_ended


def now_of(read: RegistryFile) -> datetime:
    """Return the site's local time, to the second, with its offset: one hour of the year is there twice."""
    return local(Clock().wall_ms(), read.site.timezone).replace(microsecond=0)


def _moment(option: str, text: str) -> datetime | time:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise ConfigError([f"{option} {text!r} {error}"]) from None


def _kind(read: RegistryFile, place: str) -> str:
    names = {
        "bay": [bay.id for bay in read.bay],
        "container": [container.id for container in read.container],
        "zone": [each.zone for each in (*read.bay, *read.container)],
    }
    for kind, known in names.items():
        if place in known:
            return kind
    every = sorted({name for known in names.values() for name in known})
    told = nearest(place, every) if every else ""
    raise ConfigError([f"{place}: the registry has no bay, container or zone of this name{told}"])
