"""`derb gateway backup` and `derb gateway restore`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from derb_gateway.backup import Contents, back_up
from derb_gateway.clock import iso_utc
from derb_gateway.config import Config, load_config
from derb_gateway.errors import ConfigError, GatewayError
from derb_gateway.restore import restore as put_back

_FAILED, _MISUSED = 1, 2

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to write.")], config: ConfigOption
) -> None:
    """Write the store, the registry and what stands beside them into one checked file; the gateway may run.

    \b
    derb gateway backup /media/usb/maarif.derb-backup --config gateway.toml

    It holds the nodes' keys: keep it as you keep the registry. An older backup is replaced once the new one is whole.
    """

    def work(settings: Config) -> None:
        with Progress(console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("copying", total=None)
            made = back_up(
                settings.store.path,
                settings.registry,
                settings.site,
                file,
                lambda done, total: shown.update(task, completed=done, total=total),
            )
        typer.echo(f"{file}: {_told(made)}; not in it: gateway.toml, passwords, certificates, releases")

    _with_config(config, work)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    config: ConfigOption,
    force: Annotated[bool, typer.Option("--force", help="Put a store that holds readings aside.")] = False,
) -> None:
    """Put a backup in the store's place while the gateway is stopped; what is there is put aside, never deleted.

    \b
    derb gateway restore /media/usb/maarif.derb-backup --config gateway.toml

    Beside the store only what is missing is written: a registry or orders that are there stay as they are.
    """

    def work(settings: Config) -> None:
        done = put_back(file, settings.store.path, settings.registry, force=force)
        typer.echo(
            f"{settings.store.path}: {_told(done.contents)}, as of {iso_utc(done.contents.at_ms)}, of {done.contents.site}"
        )
        if done.contents.site != settings.site:
            typer.echo(f"warning: that is another site than {settings.site!r} of the configuration", err=True)
        for path in done.written:
            typer.echo(f"written: {path}")
        for path in done.kept:
            typer.echo(f"left as it is: {path}")
        if done.aside is not None:
            typer.echo(f"the old store is {done.aside}")

    _with_config(config, work)


def _told(contents: Contents) -> str:
    beside = ", ".join(name.removeprefix(".").removesuffix(".sqlite3") for name in contents.parts)
    return f"{contents.readings} readings" + (f", and {beside}" if beside else "")


def _with_config(path: Path, work: Callable[[Config], None]) -> None:
    try:
        work(load_config(path))
    except ConfigError as error:
        _fail(error, _MISUSED)
    except GatewayError as error:
        _fail(error, _FAILED)


def _fail(error: GatewayError, code: int) -> None:
    typer.echo(str(error), err=True)
    raise typer.Exit(code) from error
