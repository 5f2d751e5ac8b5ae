"""`derb fleet list|versions|replace|update`: what a technician asks of a gateway from the laptop."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from derb_tools.errors import AskedWrong
from derb_tools.fleet.gateway_shell import GatewayShell, content, shell
from derb_tools.fleet.health import Limits, summary, troubles, versions

app = typer.Typer(
    help="The nodes of a gateway from the laptop: silent ones, batteries, versions, update waves, replacement.",
    no_args_is_help=True,
)
update_app = typer.Typer(help="Update nodes in waves.", no_args_is_help=True)
app.add_typer(update_app, name="update")

GatewayOption = Annotated[
    str | None, typer.Option("--gateway", help="user@host as ssh takes it, or here; else DERB_GATEWAY")
]
ConfigOption = Annotated[
    str | None,
    typer.Option("--config", help="The gateway's TOML file there, /etc/derb/gateway.toml if not given."),
]
ProgramOption = Annotated[
    str | None,
    typer.Option("--remote-derb", help="How derb is called there: sudo -u derb /opt/derb/bin/derb."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]
SilentOption = Annotated[
    str, typer.Option("--silent", help="How long a node may say nothing: 90s, 10m, 26h, 7d.")
]
BatteryOption = Annotated[int, typer.Option("--battery-mv", help="Below this, in mV, a battery is low.")]
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@app.command("list")
def list_nodes(
    gateway: GatewayOption = None,
    config: ConfigOption = None,
    program: ProgramOption = None,
    silent: SilentOption = "26h",
    battery_mv: BatteryOption = 3_400,
    every: Annotated[bool, typer.Option("--all", help="Also nodes that are well.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List nodes in trouble: silent, low battery, settings refused; exit 1 if there are any.

    \b
    derb fleet list --gateway pi@kerb-gateway
    derb fleet list --gateway pi@kerb-gateway --all --json
    """
    limits = Limits(_seconds(silent), battery_mv)
    nodes = _nodes(shell(gateway, config, program))
    found = [{**node, "trouble": troubles(node, limits)} for node in nodes]
    shown = [node for node in found if every or node["trouble"]]
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        if shown:
            Console(highlight=False).print(_table(shown))
        print(summary(nodes, limits))
    if any(node["trouble"] for node in found):
        raise typer.Exit(1)


@app.command("versions")
def show_versions(
    gateway: GatewayOption = None,
    config: ConfigOption = None,
    program: ProgramOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the nodes by firmware version.

    \b
    derb fleet versions --gateway pi@kerb-gateway
    """
    counted = versions(_nodes(shell(gateway, config, program)))
    if as_json:
        print(json.dumps(dict(counted)))
        return
    for version, count in counted:
        print(f"{count:6}  {version}")


@app.command("replace")
def replace(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The node that goes.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The node that comes.")],
    key_file: Annotated[
        Path, typer.Option("--key-file", help="The new node's key, as provisioning wrote it; - for stdin.")
    ],
    gateway: GatewayOption = None,
    config: ConfigOption = None,
    program: ProgramOption = None,
    grace: Annotated[str, typer.Option(help="How long the old node may still send what it holds.")] = "14d",
    as_json: JsonOption = False,
) -> None:
    """Let a new node take over an old one's place and settings; what the old one still holds counts.

    \b
    derb fleet replace 240ac4a1b2c3 7cdfa1000002 --key-file key.txt --gateway pi@kerb-gateway
    """
    words = ("registry", "replace", old, new, "--key-file", "-", "--grace", grace)
    said = shell(gateway, config, program).run(*words, given=content(key_file))
    print(json.dumps({"old": old, "new": new, "said": said.strip()}) if as_json else said.strip())


@update_app.command("start")
def start(
    release: Annotated[
        Path, typer.Argument(metavar="FILE", help="A release, as `derb release build` makes it.")
    ],
    gateway: GatewayOption = None,
    config: ConfigOption = None,
    program: ProgramOption = None,
    waves: Annotated[
        str, typer.Option(help="How many nodes have been ordered after each wave.")
    ] = "1,5%,25%,all",
    stop_at: Annotated[
        int, typer.Option("--stop-at", help="Percent of a wave that failed or fell silent.")
    ] = 10,
    battery_mv: Annotated[int, typer.Option("--battery-mv", help="A node with less, in mV, waits.")] = 3_400,
    within: Annotated[str, typer.Option(help="How long a node may take: 2h, 7d.")] = "7d",
    zone: Annotated[str | None, typer.Option(help="Nodes of this zone only.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Carry a release to the gateway and begin to update its nodes in waves.

    \b
    derb fleet update start derb-0.2.0.derb --gateway pi@kerb-gateway
    """
    options = [
        "--waves",
        waves,
        "--stop-at",
        str(stop_at),
        "--battery-mv",
        str(battery_mv),
        "--within",
        within,
    ]
    options += ["--zone", zone] if zone else []
    there = shell(gateway, config, program)
    _tell(json.loads(there.run("campaign", "start", "-", *options, given=content(release))), as_json)


@update_app.command("status")
def status(
    gateway: GatewayOption = None,
    config: ConfigOption = None,
    program: ProgramOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far the waves are and which nodes are in trouble.

    \b
    derb fleet update status --gateway pi@kerb-gateway
    """
    _tell(shell(gateway, config, program).read("campaign", "status", "--json"), as_json)


def _ordered(word: str) -> Any:
    def command(
        gateway: GatewayOption = None,
        config: ConfigOption = None,
        program: ProgramOption = None,
        as_json: JsonOption = False,
    ) -> None:
        there = shell(gateway, config, program)
        said = there.run("campaign", word)
        if as_json:
            _tell(there.read("campaign", "status", "--json"), as_json)
        else:
            print(said, end="")

    return command


for _word, _help in (
    ("pause", "Order nothing more for now."),
    ("resume", "Go on after a pause or a stop."),
    ("abort", "End it, and take back what no node has begun."),
):
    update_app.command(_word, help=f"{_help}\n\n\b\nderb fleet update {_word} --gateway pi@kerb-gateway")(
        _ordered(_word)
    )


def _nodes(there: GatewayShell) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = there.read("fleet")["nodes"]
    return nodes


def _tell(told: dict[str, Any] | None, as_json: bool) -> None:
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        _say(told)


def _say(told: dict[str, Any] | None) -> None:
    if told is None:
        print("there never was a campaign")
        return
    counts = ", ".join(f"{count} {state}" for state, count in told["counts"].items() if count)
    why = f" ({told['why']})" if told["why"] else ""
    print(f"campaign {told['id']}: {told['version']}, {told['state']}{why}")
    print(f"wave {told['wave']} of {len(told['waves'])}: {counts}")
    for node, each in told["nodes"].items():
        if each["why"]:
            print(f"{node} {each['state']}: {each['why']}")


def _table(nodes: list[dict[str, Any]]) -> Table:
    table = Table("node", "place", "zone", "last heard", "battery", "firmware", "trouble", box=None)
    for node in nodes:
        battery = f"{node['battery_mv']} mV" if node["battery_mv"] is not None else ""
        cells = (node["node"], node["place"], node["zone"], node["last_seen"], battery, node["firmware"])
        table.add_row(*(each or "" for each in cells), "; ".join(node["trouble"]))
    return table


def _seconds(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if match is None:
        raise AskedWrong(f"--silent {text!r}: write a time as 90s, 10m, 26h or 7d")
    return int(match[1]) * _UNITS_S[match[2]]
