"""`derb gateway export`."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.progress import Progress

from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError, ExportError, GatewayError
from derb_gateway.export import Wanted, comma_separated, count, ndjson, rows, wanted
from derb_gateway.registry import Registry, load_registry
from derb_gateway.store import StoredReading

_FAILED, _MISUSED = 1, 2


class Format(StrEnum):
    """What is written."""

    NDJSON = "ndjson"
    CSV = "csv"


def export(
    config: Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Observed then or later.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Observed before then.")] = None,
    node: Annotated[list[str] | None, typer.Option(metavar="ID", help="May be given again.")] = None,
    place: Annotated[
        list[str] | None,
        typer.Option("--bay", "--container", metavar="ID", help="The nodes that are and were there."),
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="parking, level, health, alarm, answer")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="One JSON object a line, or columns.")
    ] = Format.NDJSON,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Else to standard output.")] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A backup or a file set aside, not the store."),
    ] = None,
) -> None:
    """Write readings that are still in the store, in the order in which they came, while the gateway may run.

    \b
    derb gateway export --since 2026-11-01 --bay maarif-001 --format csv --out november.csv --config gateway.toml

    TIME is a day or a moment, 2026-11-28 or 2026-11-28T07:00:00+01:00, in UTC if it does not say.
    """
    try:
        settings = load_config(config)
        registry = load_registry(settings.registry)
        which = wanted(
            registry, since=since, until=until, nodes=node or (), places=place or (), kinds=kind or ()
        )
        _write(source or settings.store.path, which, registry, form, out)
    except (ConfigError, ExportError) as error:
        _fail(str(error), _MISUSED)
    except GatewayError as error:
        _fail(str(error), _FAILED)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - whoever read has gone; nothing is to be said at exit
    except OSError as error:
        _fail(f"{error.filename or out}: {error.strerror}", _FAILED)


def _write(store: Path, which: Wanted, registry: Registry, form: Format, out: Path | None) -> None:
    lines = ndjson if form is Format.NDJSON else comma_separated
    with _target(out) as file:
        for line in lines(_shown(rows(store, which), count(store, which)), registry):
            file.write(line)


def _shown(readings: Iterable[StoredReading], total: int) -> Iterator[StoredReading]:
    """Pass readings on, with a bar on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or sys.stdout.isatty():
        yield from readings
        return
    with Progress(console=console, transient=True) as shown:
        yield from shown.track(readings, total=total, description="exporting")


@contextmanager
def _target(out: Path | None) -> Iterator[TextIO]:
    """Give a file its name only when it is whole."""
    if out is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    part = out.with_name(out.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _fail(told: str, code: int) -> None:
    typer.echo(told, err=True)
    raise typer.Exit(code)
