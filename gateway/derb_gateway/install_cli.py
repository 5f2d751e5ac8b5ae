"""`derb gateway install` and `uninstall`: a service on this machine, and everything back as it was."""

import os
import pwd
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from derb_gateway.config import Config, load_config
from derb_gateway.errors import ConfigError, GatewayError
from derb_gateway.install_changes import File, under
from derb_gateway.install_manifest import MANIFEST, Manifest
from derb_gateway.install_plan import CONFIG, STATE, UNIT, USER, own_command, plan
from derb_gateway.mosquitto import find_mosquitto, mosquitto_conf

FAILED, MISUSED = 1, 2
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)

RootOption = Annotated[
    Path, typer.Option(help="Install below this folder, for an image or a trial; runs nothing.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]


def install(
    site: Annotated[str, typer.Option(help="The name of this gateway's area, as in casablanca-maarif.")],
    root: RootOption = Path("/"),
    command: Annotated[
        str, typer.Option(help="The derb that the service runs; this one, if not given.")
    ] = "",
    dry_run: DryRun = False,
    start: Annotated[bool, typer.Option(help="Start the service at once.")] = True,
) -> None:
    """Install the gateway as a service: user, configuration, unit. `uninstall` takes all of it back.

    \b
    sudo derb gateway install --site casablanca-maarif
    derb gateway install --site test --dry-run
    """
    try:
        if Manifest.load(root) is not None:
            _fail(
                f"it is installed already ({under(root, MANIFEST)}): `derb gateway uninstall` first", FAILED
            )
        wanted = plan(root, site, command or own_command())
        if dry_run:
            _show(wanted)
            return
        _need_root(root)
        wanted.made_user = not _user_exists()
        wanted.do(root)
    except ConfigError as error:
        _fail(str(error), MISUSED)
    except (GatewayError, OSError) as error:
        _fail(f"{error}\n`derb gateway uninstall` takes back what was done", FAILED)
    for change in wanted.changes:
        typer.echo(f"{change.kind:7}{change.path}")
    if root == Path("/"):
        _run_all(_after_install(wanted, start=start))
    if find_mosquitto() is None:
        typer.echo("there is no mosquitto yet: sudo apt-get install mosquitto", err=True)
    typer.echo(f"next: derb gateway check --config {CONFIG}")


def uninstall(
    root: RootOption = Path("/"),
    dry_run: DryRun = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Take away the configuration and all readings as well.")
    ] = False,
) -> None:
    """Take back what `install` did. What was changed since, and all readings, stay unless --purge is given.

    \b
    sudo derb gateway uninstall
    sudo derb gateway uninstall --purge
    """
    try:
        done = Manifest.load(root)
        if done is None:
            _fail(f"nothing is installed here: there is no {under(root, MANIFEST)}", FAILED)
        if dry_run:
            for change in reversed(done.changes):
                typer.echo(f"back   {change.path}")
            return
        _need_root(root)
        live = root == Path("/")
        if live:
            _run_all([["systemctl", "stop", UNIT]])
        if purge:
            shutil.rmtree(under(root, STATE), ignore_errors=True)
        stayed = done.undo(root, force=purge)
    except (GatewayError, OSError) as error:
        _fail(str(error), FAILED)
    if live:
        _run_all(_after_uninstall(done))
    for why in [*stayed, *_data_left(root)]:
        typer.echo(f"stays: {why}")


def _show(wanted: Manifest) -> None:
    for change in wanted.changes:
        typer.echo(f"{change.kind:7}{change.path}")
        if isinstance(change, File):
            typer.echo("".join(f"       | {line}\n" for line in change.text.splitlines()), nl=False)
    typer.echo("the broker's configuration, which the gateway writes anew at each start:")
    typer.echo("".join(f"       | {line}\n" for line in _broker_conf(wanted).splitlines()), nl=False)
    for command in _after_install(wanted, start=True):
        typer.echo(f"run    {' '.join(command)}")


def _broker_conf(wanted: Manifest) -> str:
    """Return Mosquitto's configuration as the gateway will write it; of a configuration that is there, as it will be too."""
    text = next((c.text for c in wanted.changes if isinstance(c, File) and c.path == CONFIG), None)
    config = load_config(Path(CONFIG)) if text is None else Config.model_validate(tomllib.loads(text))
    return mosquitto_conf(config.broker, rights=True, user=USER)


def _after_install(wanted: Manifest, *, start: bool) -> list[list[str]]:
    commands = [
        ["systemd-sysusers", "derb-gateway.conf"],
        ["systemd-tmpfiles", "--create", "derb-gateway.conf"],
        ["systemctl", "daemon-reload"],
        *(["systemctl", "stop", unit] for unit in wanted.stopped),
    ]
    return [*commands, ["systemctl", "start", "--no-block", UNIT]] if start else commands


def _after_uninstall(done: Manifest) -> list[list[str]]:
    commands = [["systemctl", "daemon-reload"], *(["systemctl", "start", unit] for unit in done.stopped)]
    if done.made_user and not Path(STATE).exists():
        commands.append(["userdel", USER])
    return commands


def _run_all(commands: list[list[str]]) -> None:
    """Run each, whatever became of the one before; what failed is said and makes the command fail."""
    failed = False
    for command in commands if _BOOTED.is_dir() else _without_systemctl(commands):
        try:
            code = subprocess.run(command, check=False).returncode
        except OSError as error:
            typer.echo(f"{command[0]}: {error.strerror}", err=True)
            code = FAILED
        if code:
            failed = True
            typer.echo(f"failed: {' '.join(command)}", err=True)
    if failed:
        raise typer.Exit(FAILED)


def _without_systemctl(commands: list[list[str]]) -> list[list[str]]:
    """Return what can be done in a container or an image, where no service runs."""
    if any(command[0] == "systemctl" for command in commands):
        typer.echo("systemd does not run here: nothing is started or stopped now", err=True)
    return [command for command in commands if command[0] != "systemctl"]


def _data_left(root: Path) -> list[str]:
    return [f"{STATE} holds readings: sudo rm -r {STATE} takes them"] if under(root, STATE).exists() else []


def _user_exists() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _need_root(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        _fail("only root may do this: sudo, or --dry-run to see what it would be", MISUSED)


def _fail(told: str, code: int) -> NoReturn:
    typer.echo(told, err=True)
    raise typer.Exit(code)
