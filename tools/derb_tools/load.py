"""`derb load`: a made-up registry, a fleet that follows it, and what of its readings came through."""

import json
import os
import secrets
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from derb_gateway.errors import GatewayError
from derb_gateway.registry import load_registry

from derb_tools.errors import ToolError
from derb_tools.load_fleet import Fleet
from derb_tools.load_node import LoadNode

_NODES_WRITTEN = 100


def load(
    nodes: Annotated[
        int | None,
        typer.Option(min=1, help=f"How many nodes: all of --registry, or {_NODES_WRITTEN} to write."),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, help="Readings a second, of all nodes together.")] = 50.0,
    seconds: Annotated[float, typer.Option(min=0, help="For how many seconds to make readings.")] = 10.0,
    broker: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The gateway's broker.")
    ] = "127.0.0.1:1883",
    registry: Annotated[Path | None, typer.Option(help="Nodes and keys, as the gateway has them.")] = None,
    write_registry: Annotated[Path | None, typer.Option(help="Make nodes and keys, write them, end.")] = None,
    upstream: Annotated[
        Path | None, typer.Option(help="Folder of a file sink, to find what is doubled.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, help="To the broker; nodes share them.")] = 2,
    resend_s: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which what has no receipt is sent again.")
    ] = 3.0,
    grace_s: Annotated[float, typer.Option(min=0, help="Seconds to wait for the last receipts.")] = 20.0,
    username: Annotated[str | None, typer.Option(help="At the broker.")] = None,
    password: Annotated[str | None, typer.Option(help="At the broker.")] = None,
) -> None:
    """Load a gateway with a fleet's frames; print what was sent, receipted and lost as JSON.

    \b
    derb load --nodes 50 --write-registry load.toml
    derb load --registry load.toml --rate 100 --seconds 10

    Ctrl-C, or SIGTERM, ends it early: no new readings, the last receipts, the figures. A second one ends it at once.
    """
    if write_registry is not None:
        write_new(write_registry, make_registry(nodes or _NODES_WRITTEN))
        print(f"{write_registry}: {nodes or _NODES_WRITTEN} made-up nodes and their keys, for your eyes only")
        return
    if registry is None:
        raise typer.BadParameter("give --registry, or make one first with --write-registry")
    fleet = Fleet(fleet_nodes(registry, nodes), split_address(broker), connections, (username, password))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _enough(fleet))
    fleet.run(rate, seconds, resend_s, grace_s)
    report = fleet.report() | (upstream_report(upstream, fleet.keys(), grace_s) if upstream else {})
    print(json.dumps(report))
    if report["lost"] or report.get("upstream_doubled") or report.get("upstream_missing"):
        raise typer.Exit(1)


def _enough(fleet: Fleet) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    fleet.enough()


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet, its owner's alone from the start. ToolError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ToolError(f"{path} exists already: choose another name") from None
    except FileNotFoundError:
        raise ToolError(f"{path}: there is no folder {path.parent}") from None
    except OSError as error:
        raise ToolError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def make_registry(nodes: int) -> str:
    """A registry of made-up nodes, each at its own made-up bay."""
    entries = []
    for i in range(nodes):
        node, bay = f"de4b{i:08x}", f"load-{i:05d}"
        entries.append(f'[[node]]\nid = "{node}"\nkey = "{secrets.token_hex(32)}"\nbay = "{bay}"\n')
        entries.append(f'[[bay]]\nid = "{bay}"\nzone = "load"\nlat = 33.58\nlon = -7.62\n')
    return "\n".join(entries)


def fleet_nodes(registry: Path, count: int | None = None) -> list[LoadNode]:
    """The first nodes of a registry, or all, under a boot number that no earlier run had. ToolError."""
    try:
        keys = load_registry(registry).keys
    except GatewayError as error:
        raise ToolError(str(error)) from error
    if not keys:
        raise ToolError(f"{registry} has no node")
    if count is not None and len(keys) < count:
        raise ToolError(f"{registry} has {len(keys)} nodes, not {count}")
    return [LoadNode(node, keys[node], int(time.time())) for node in sorted(keys)[:count]]


def split_address(text: str) -> tuple[str, int]:
    """HOST:PORT as a pair."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter(f"--broker {text!r} is not HOST:PORT")
    return host, int(port)


def upstream_report(folder: Path, sent: set[str], grace_s: float = 0.0) -> dict[str, int]:
    """What of a run a file sink has, once, twice or never; waits so long for it to have all."""
    deadline_s = time.monotonic() + grace_s
    ours = upstream_keys(folder, sent)
    while len(ours) < len(sent) and time.monotonic() < deadline_s:
        time.sleep(0.2)
        ours = upstream_keys(folder, sent)
    return {
        "upstream": len(ours),
        "upstream_missing": len(sent) - len(ours),
        "upstream_doubled": sum(n - 1 for n in ours.values()),
    }


def upstream_keys(folder: Path, sent: set[str]) -> Counter[str]:
    """How often a file sink has each reading of a run. The last line may be half written."""
    there: Counter[str] = Counter()
    for path in folder.glob("*.ndjson"):
        with path.open(encoding="utf-8") as lines:
            there.update(json.loads(line)["key"] for line in lines if line.endswith("\n"))
    return Counter({key: n for key, n in there.items() if key in sent})
