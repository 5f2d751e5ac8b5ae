"""`derb gateway take`: put what was pulled out of a dead node where the gateway takes it."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from derb_gateway.config import load_config
from derb_gateway.errors import ConfigError
from derb_gateway.pulled_file import drop, judge, read_pulled
from derb_gateway.registry import load_registry

_FAILED, _MISUSED = 1, 2
_LOOK_S = 0.1


def take(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="As `derb pull` writes them.")],
    config: Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")],
    wait: Annotated[float, typer.Option(min=0, help="So many seconds for the gateway to take them.")] = 10.0,
) -> None:
    """Give the gateway what was pulled out of nodes: running, it takes them within a second; else at its next start.

    \b
    derb gateway take node7.json --config gateway.toml

    A reading that it has already is not doubled, and the same file may be given twice. Prints one JSON line a file.
    """
    failed = False
    for path in files:
        try:
            failed |= not _take(path, config, wait)
        except ConfigError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(_MISUSED) from error
        except OSError as error:
            typer.echo(f"{path}: {error.strerror}: is the gateway's folder yours to write in?", err=True)
            raise typer.Exit(_FAILED) from error
    if failed:
        raise typer.Exit(_FAILED)


def _take(path: Path, config: Path, wait_s: float) -> bool:
    settings = load_config(config)
    pulled = read_pulled(path)
    registry = load_registry(settings.registry)
    if registry.key(pulled.node) is None:
        raise ConfigError(
            [f"{path}: node {pulled.node} is not in the registry: its readings could not be checked"]
        )
    judged = judge(pulled, registry)
    if pulled.frames and len(judged.refused) == len(pulled.frames):
        raise ConfigError([f"{path}: no frame in it is this node's: {judged.refused[0]}"])
    dropped = drop(path, settings.store.path)
    taken = _is_gone(dropped, wait_s)
    said = {"node": pulled.node, "frames": len(pulled.frames), "readings": judged.readings}
    typer.echo(json.dumps({**said, "refused": judged.refused, "taken": taken}))
    if not taken:
        typer.echo(f"{path}: waits in {dropped.parent} until the gateway runs", err=True)
    return not judged.refused


def _is_gone(dropped: Path, wait_s: float) -> bool:
    until_s = time.monotonic() + wait_s
    while dropped.exists():
        if time.monotonic() >= until_s:
            return False
        time.sleep(_LOOK_S)
    return True
