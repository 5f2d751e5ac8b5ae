"""`derb gateway`: run, check, status; what is ordered from nodes is in `orders_cli`."""

import asyncio
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from derb_gateway.app import Server
from derb_gateway.backup_cli import backup, restore
from derb_gateway.beside import clear_alarms as clear_alarms_in
from derb_gateway.campaign_book import campaign_json
from derb_gateway.campaign_cli import campaign_app
from derb_gateway.clock import Clock, SimulatedClock
from derb_gateway.config import Config, load_config
from derb_gateway.errors import ConfigError, GatewayError
from derb_gateway.export_cli import export
from derb_gateway.findings import Verdict
from derb_gateway.fleet_status import fleet_json
from derb_gateway.install_cli import install, uninstall
from derb_gateway.logs import set_up_logging
from derb_gateway.order_status import orders_json
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.orders_cli import command, config_app, update
from derb_gateway.pulled_cli import take
from derb_gateway.quarantine_cli import quarantine_app
from derb_gateway.registry import load_registry_file
from derb_gateway.registry_cli import registry_app
from derb_gateway.status import status as read_status
from derb_gateway.status_view import status_view, utc_now

FAILED, MISUSED = 1, 2

app = typer.Typer(help="The gateway: takes readings from the street and hands them on.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(registry_app, name="registry")
app.add_typer(campaign_app, name="campaign")
app.command()(command)
app.command()(update)
app.command()(backup)
app.command()(restore)
app.command()(export)
app.command()(take)
app.command()(install)
app.command()(uninstall)

_COLOURS = {Verdict.OK: typer.colors.GREEN, Verdict.WARN: typer.colors.YELLOW, Verdict.BAD: typer.colors.RED}
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]


@app.command()
def run(
    config: ConfigOption,
    clock_speed: Annotated[float | None, typer.Option(hidden=True)] = None,
    clock_origin_unix_ms: Annotated[int, typer.Option(hidden=True)] = 0,
    clock_origin_real_ms: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    \b
    derb gateway run --config gateway.toml
    """
    settings = _configured(config)
    set_up_logging(settings.log)
    clock = (
        Clock()
        if clock_speed is None
        else SimulatedClock(clock_origin_unix_ms, clock_origin_real_ms, clock_speed)
    )
    try:
        asyncio.run(_serve(settings, clock, config))
    except ConfigError as error:
        _fail(error, MISUSED)
    except GatewayError as error:
        _fail(error, FAILED)


@app.command()
def status(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Show alarms, sinks and nodes, whether the gateway runs or not: tables on a terminal, else JSON.

    \b
    derb gateway status --config gateway.toml
    derb gateway status --config gateway.toml --json | jq .sinks
    """
    settings = _configured(config)
    try:
        sinks = [sink.name for sink in settings.sink]
        known = read_status(settings.store.path, sinks)
        told = {**known, **_orders(settings.store.path)}
    except GatewayError as error:
        _fail(error, FAILED)
    if as_json or not sys.stdout.isatty():
        typer.echo(json.dumps(told, indent=2))
    else:
        Console(highlight=False).print(status_view(told, utc_now()))


@app.command()
def fleet(config: ConfigOption) -> None:
    """Print every node of the registry with what is known of it, as JSON: `derb fleet` on a laptop asks for this.

    \b
    derb gateway fleet --config gateway.toml
    """
    settings = _configured(config)
    try:
        read = load_registry_file(settings.registry)
        typer.echo(json.dumps(fleet_json(read, settings.store.path, Clock().wall_ms()), indent=2))
    except ConfigError as error:
        _fail(error, MISUSED)
    except GatewayError as error:
        _fail(error, FAILED)


@app.command("clear-alarms")
def clear_alarms(
    config: ConfigOption,
    names: Annotated[list[str] | None, typer.Argument(help="All, if none is named.")] = None,
) -> None:
    """Take alarms out of the status once they have been dealt with; the gateway may run meanwhile.

    \b
    derb gateway clear-alarms --config gateway.toml                all of them
    derb gateway clear-alarms disk_refused --config gateway.toml   one
    """
    settings = _configured(config)
    try:
        typer.echo(f"{clear_alarms_in(settings.store.path, names or ())} cleared")
    except GatewayError as error:
        _fail(error, FAILED)


@app.command()
def check(config: ConfigOption, as_json: JsonOption = False) -> None:
    """Look for what will hurt: configuration, registry, secrets, disk, memory, store, clock, broker, ports, relays, sinks.

    \b
    derb gateway check --config gateway.toml

    Exit code 1: something is bad. With --json one list of {verdict, what, detail}.
    """
    from derb_gateway.check import check as run_checks  # no gateway needs its HTTP client to start

    settings = _configured(config)
    findings = asyncio.run(run_checks(settings, Clock(), config))
    if as_json:
        typer.echo(
            json.dumps([{**each._asdict(), "verdict": each.verdict.value} for each in findings], indent=2)
        )
    else:
        for finding in findings:
            verdict = typer.style(f"{finding.verdict.value:5}", fg=_COLOURS[finding.verdict])
            typer.echo(f"{verdict}{finding.what}: {finding.detail}")
    if any(finding.verdict is Verdict.BAD for finding in findings):
        raise typer.Exit(FAILED)


async def _serve(config: Config, clock: Clock, path: Path) -> None:
    await Server(config, clock, lambda: load_config(path)).serve()


def _orders(store: Path) -> dict[str, Any]:
    path = orders_path(store)
    if not path.exists():
        return {"orders": {}, "campaign": None}
    with closing(OrderBook(path)) as book:
        campaign = campaign_json(book)
        return {
            "orders": orders_json(book, Clock().wall_ms()),
            "campaign": campaign and {key: value for key, value in campaign.items() if key != "nodes"},
        }


def _configured(path: Path) -> Config:
    try:
        return load_config(path)
    except ConfigError as error:
        _fail(error, MISUSED)


def _fail(error: GatewayError, code: int) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(code) from error
