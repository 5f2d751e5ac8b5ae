"""`derb gateway campaign`: a release to many nodes, in waves that stop when too many fail."""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from derb_gateway.campaign import CampaignState, Member, NodeState, Plan, in_order, parse_waves, wave_of
from derb_gateway.campaign_book import campaign_json, change, start
from derb_gateway.clock import Clock
from derb_gateway.commands import parse_duration_s
from derb_gateway.config import Config, load_config
from derb_gateway.errors import ConfigError
from derb_gateway.exits import exits
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.registry import load_registry, load_registry_file
from derb_gateway.registry_file import RegistryFile
from derb_gateway.releases import ANY_BOARD, Release, Releases, releases_path

_RELEASE_MOST_BYTES = 16_777_216

campaign_app = typer.Typer(help="Update many nodes in waves.", no_args_is_help=True)

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway's TOML file.")]


@campaign_app.command("start")
def start_campaign(
    release: Annotated[
        Path, typer.Argument(metavar="FILE", help="A release, as `derb release build` makes it; - for stdin.")
    ],
    config: ConfigOption,
    waves: Annotated[
        str, typer.Option(help="How many nodes have been ordered after each wave.")
    ] = "1,5%,25%,all",
    stop_at: Annotated[
        int, typer.Option("--stop-at", help="Percent of a wave that failed or fell silent.", min=1, max=100)
    ] = 10,
    battery_mv: Annotated[
        int, typer.Option("--battery-mv", help="A node with less, in mV, waits; 0: none does.", min=0)
    ] = 3400,
    within: Annotated[str, typer.Option(help="How long a node may take: 2h, 7d.")] = "7d",
    zone: Annotated[str | None, typer.Option(help="Nodes of this zone only.")] = None,
) -> None:
    """Begin a campaign; a running gateway leads it from wave to wave, after restarts too.

    \b
    derb gateway campaign start derb-0.2.0.derb --waves 1,5%,25%,all --config gateway.toml
    """
    with exits():
        settings = load_config(config)
        read = load_registry_file(settings.registry)
        releases = Releases(releases_path(settings.store.path))
        taken = releases.add(release) if str(release) != "-" else _from_stdin(releases)
        good = load_registry(settings.registry).keys
        nodes = fitting_nodes(read, taken, zone, set(good))
        plan = Plan(
            taken.version, parse_waves(waves, len(nodes)), stop_at, battery_mv, parse_duration_s(within)
        )
        with closing(OrderBook(orders_path(settings.store.path))) as book:
            heard = {node: said.at_ms for node in nodes if (said := book.reported(node))}
            members = [
                Member(node, wave_of(place, plan.waves), NodeState.WAITING)
                for place, node in enumerate(in_order(nodes, plan.version, heard))
            ]
            start(book, plan, members, Clock().wall_ms())
            typer.echo(json.dumps(campaign_json(book), indent=2))


def _from_stdin(releases: Releases) -> Release:
    with tempfile.NamedTemporaryFile(suffix=".derb") as file:
        file.write(sys.stdin.buffer.read(_RELEASE_MOST_BYTES))
        file.flush()
        return releases.add(Path(file.name))


def fitting_nodes(read: RegistryFile, release: Release, zone: str | None, good: set[str]) -> list[str]:
    """Return the nodes that a release is meant for: not replaced, in the zone, on its board if both are known."""
    zones = {place.id: place.zone for place in (*read.bay, *read.container)}
    nodes = [
        node.id
        for node in read.node
        if node.replaced_by is None
        and node.id in good
        and (zone is None or zones.get(node.bay or node.container or "") == zone)
        and (release.board == ANY_BOARD or node.board in (None, release.board))
    ]
    if not nodes:
        meant = f"zone {zone or 'any'}, board {'any' if release.board == ANY_BOARD else release.board}"
        hint = "`derb gateway registry list` shows what there is"
        raise ConfigError([f"no node of the registry is meant ({meant}): {hint}"])
    return nodes


@campaign_app.command("status")
def status(
    config: ConfigOption, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Say how far the campaign is, wave by wave, and which nodes are in trouble and why.

    \b
    derb gateway campaign status --config gateway.toml
    """
    told = _with_book(config, lambda book, _: campaign_json(book))
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    if told is None:
        typer.echo("there never was a campaign")
        return
    typer.echo(f"campaign {told['id']}: {told['version']}, {told['state']}" + _because(told["why"]))
    typer.echo(f"wave {told['wave']} of {len(told['waves'])}: {_counted(told['counts'])}")
    for node, each in told["nodes"].items():
        if each["why"]:
            typer.echo(f"{node} {each['state']}: {each['why']}")


@campaign_app.command("pause")
def pause(config: ConfigOption) -> None:
    """Order nothing more for now; nodes that have begun go on.

    \b
    derb gateway campaign pause --config gateway.toml
    """
    _change(config, CampaignState.PAUSED)


@campaign_app.command("resume")
def resume(config: ConfigOption) -> None:
    """Go on after a pause or a stop; failures so far are left out and count no more.

    \b
    derb gateway campaign resume --config gateway.toml
    """
    _change(config, CampaignState.RUNNING)


@campaign_app.command("abort")
def abort(config: ConfigOption) -> None:
    """End the campaign and take back what no node has begun.

    \b
    derb gateway campaign abort --config gateway.toml
    """
    _change(config, CampaignState.ABORTED)


def _change(config: Path, to: CampaignState) -> None:
    changed = _with_book(config, lambda book, now_ms: change(book, to, now_ms))
    typer.echo(f"campaign {changed.id}: {changed.state}")


def _with_book(path: Path, work: Callable[[OrderBook, int], Any]) -> Any:
    with exits():
        settings: Config = load_config(path)
        with closing(OrderBook(orders_path(settings.store.path))) as book:
            return work(book, Clock().wall_ms())


def _because(why: str | None) -> str:
    return f" ({why})" if why else ""


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items() if count)
