"""`derb provision`: a node gets its key and its place, and the gateway learns of it: over the network or on a stick."""

import hmac
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from derb_tools.at_node import (
    WAIT_DEFAULT_S,
    JsonOption,
    PortOption,
    ResetOption,
    WaitOption,
    at_prompt,
    tell,
)
from derb_tools.errors import AskedWrong, ToolError
from derb_tools.flash.node_file import NodeFile, read_node_file
from derb_tools.fleet.commands import ConfigOption, GatewayOption, ProgramOption
from derb_tools.label import write_label
from derb_tools.place_choice import Place, candidates, certain
from derb_tools.prompt import Prompt
from derb_tools.registration import KINDS, Ledger, ledger_of

_KEY_BYTES = 32
_CALL_S = 30.0


def provision(
    place: Annotated[
        str | None,
        typer.Option(help="A few letters of the bay or container's name, or lat,lon from a phone."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Wi-Fi and broker, where the node has none yet.")
    ] = None,
    gateway: GatewayOption = None,
    config: ConfigOption = None,
    program: ProgramOption = None,
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="No network: a sealed file for a stick, to be enrolled there."),
    ] = None,
    places: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --to: what `derb gateway registry list --json` printed."),
    ] = None,
    secret: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --to: the secret that the gateway has too.")
    ] = None,
    board: Annotated[str | None, typer.Option(help="As in `derb boards`; for the registry.")] = None,
    label: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Make its label too: .png, .pdf or .zpl.")
    ] = None,
    port: PortOption = None,
    wait: WaitOption = WAIT_DEFAULT_S,
    may_reset: ResetOption = True,
    as_json: JsonOption = False,
) -> None:
    """Give the node at the serial port a new key and its place, and register it with the gateway.

    \b
    derb provision --place maarif-0 --gateway pi@kerb-gateway
    derb provision --place 33.5866,-7.6324 --gateway pi@kerb-gateway --label label.png
    derb provision --place maarif-001 --to stick/n.enrol --places places.json --secret enrol.secret

    The key is made here, goes to the node and the gateway, and is neither shown nor kept. Run again after any
    failure: it begins anew, and nothing is left that does harm.
    """
    try:
        ledger = ledger_of(gateway, config, program, to, places, secret)
        street = read_node_file(settings) if settings else NodeFile()
        chosen = _choose(place, ledger.places())
        with at_prompt(port, wait, may_reset=may_reset) as prompt:
            node = _give(prompt, chosen, street, ledger, board)
    except AskedWrong as error:
        raise typer.BadParameter(str(error)) from None
    if label is not None:
        write_label(label, node, chosen["id"], KINDS[chosen["kind"]])
    done = {"node": node, "place": chosen["id"], "kind": chosen["kind"], "registered": to is None}
    if as_json:
        print(json.dumps({**done, "file": str(to) if to else None, "label": str(label) if label else None}))
    else:
        print(
            f"{node}: {chosen['kind']} {chosen['id']}, {ledger.told}"
            + (f"; label in {label}" if label else "")
        )


def _choose(asked: str | None, places: list[Place]) -> Place:
    """The place that is meant, one that has a node only by its whole name; a question where it is not certain. AskedWrong."""
    free = [place for place in places if not place.get("node")]
    text = asked if asked is not None else _typed("which bay or container? letters of its name, or lat,lon: ")
    taken = next((place for place in places if place["id"] == text and place.get("node")), None)
    if taken:
        return taken  # perhaps by this very node: that is known when it has spoken
    found = candidates(text, free)
    if (sure := certain(text, found)) is not None:
        return sure
    for number, (place, why) in enumerate(found, 1):
        print(f"{number:3}  {place['kind']:9} {place['id']}  ({why})", file=sys.stderr)
    answer = _typed("which one? its number: ")
    if not answer.isdigit() or not 1 <= int(answer) <= len(found):
        raise AskedWrong(f"{answer!r} is none of the numbers 1 to {len(found)}; nothing was changed")
    return found[int(answer) - 1][0]


def _typed(question: str) -> str:
    print(f"derb: {question}", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        raise AskedWrong("nobody is there to answer: say the whole name with --place; nothing was changed")
    return answer.strip()


def _give(prompt: Prompt, chosen: Place, street: NodeFile, ledger: Ledger, board: str | None) -> str:
    """Key and settings to the node, proof from it, then the registry. ToolError."""
    prompt.load("provision")
    found = prompt.call("identity()")
    node = str(found["node"])
    if chosen.get("node") not in (None, node):
        raise AskedWrong(
            f"{chosen['id']} has node {chosen['node']} already: `derb fleet replace` lets a new node take its place"
        )
    ledger.refuse_known(node)
    if not street.settings and "broker" not in found["settings"]:
        raise AskedWrong(
            f"node {node} has no Wi-Fi and broker yet: give them with --settings FILE (docs/configuration.md)"
        )
    changes = {**street.settings, "kind": KINDS[chosen["kind"]]}
    if chosen["kind"] == "container":
        changes |= {name: chosen[name] for name in ("empty_mm", "full_mm")}
    key, challenge = secrets.token_bytes(_KEY_BYTES), os.urandom(16)
    given = f"{key.hex()!r}, {json.dumps(changes)}, {challenge.hex()!r}, {json.dumps(_entries(street))}"
    proof = prompt.call(f"give({given})", _CALL_S)
    wanted = hmac.digest(key, b"derb-proof" + bytes.fromhex(node) + challenge, "sha256").hex()
    if not hmac.compare_digest(proof, wanted):
        raise ToolError(
            f"node {node} does not hold the key that it was given; its flash may be worn: try again"
        )
    tell(f"node {node} holds its key")
    ledger.enter(node, chosen, key, board)
    return node


def _entries(street: NodeFile) -> dict[str, str | int]:
    """What of the street stands beside the settings in a node's NVS; bytes as hex digits."""
    entries: dict[str, str | int] = {}
    if street.settings.get("tls") == "ca":
        if not street.ca:
            raise AskedWrong(
                f'{street.path}: tls = "ca" needs `ca`, the file of the authority\'s certificate'
            )
        # Certificates are verified by a clock that would otherwise say 2000.
        entries |= {"ca": street.ca.hex(), "time_floor": int(time.time())}
    if street.update_key:
        entries["upd_key"] = street.update_key.hex()
    if street.door_pin is not None:
        entries["door_pin"] = street.door_pin
    return entries
