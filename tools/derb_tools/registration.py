"""Where a node's registration goes: into the gateway's registry over ssh, or into a sealed file for a stick."""

import json
import time
from pathlib import Path
from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.enrolment import read_secret, seal
from derb_gateway.errors import ConfigError

from derb_tools.errors import AskedWrong
from derb_tools.fleet.gateway_shell import GatewayShell, shell
from derb_tools.place_choice import Place
from derb_tools.whole_file import write_whole

KINDS = {"bay": "parking", "container": "level"}
"""What a node is that watches such a place."""


class Network:
    """The gateway's registry over ssh, or here."""

    told = "registered"

    def __init__(self, there: GatewayShell) -> None:
        self._there = there
        self._nodes: dict[str, Any] = {}

    def places(self) -> list[Place]:
        """Its bays and containers. GatewayUnreached, GatewayRefused."""
        known = self._there.read("registry", "list", "--json")
        self._nodes = {each["id"]: each for each in known["nodes"]}
        return list(known["places"])

    def refuse_known(self, node: str) -> None:
        """AskedWrong when the node is registered: its key would be another one there."""
        if node in self._nodes:
            place = self._nodes[node].get("bay") or self._nodes[node].get("container") or "no place"
            raise AskedWrong(
                f"node {node} is registered already, at {place}: `derb selftest` says whether gateway and node have the "
                "same key; if not, take its [[node]] out of the registry and provision it again"
            )

    def enter(self, node: str, chosen: Place, key: bytes, board: str | None) -> None:
        """Register it; the key goes over stdin."""
        words = ["registry", "add", node, "--key-file", "-", f"--{chosen['kind']}", chosen["id"]]
        self._there.run(*words, *(["--board", board] if board else []), given=key.hex().encode() + b"\n")


class Stick:
    """A sealed file, for a gateway that is out of reach."""

    def __init__(self, to: Path, places: Path, secret: Path) -> None:
        if to.exists():
            raise AskedWrong(f"{to} exists already; a registration is never written over")
        self._to = to
        self._places = places
        self.told = f"to be registered from {to}: derb gateway registry enrol {to.name} --secret FILE --config gateway.toml"
        try:
            self._secret = read_secret(secret)
        except ConfigError as error:
            raise AskedWrong(str(error)) from None

    def places(self) -> list[Place]:
        """The places that were saved. AskedWrong."""
        try:
            read = json.loads(self._places.read_text(encoding="utf-8"))["places"]
            for each in read:
                float(each["lat"]), float(each["lon"]), str(each["zone"]), KINDS[each["kind"]], each["id"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AskedWrong(
                f"{self._places}: is not what `derb gateway registry list --json` prints ({error!r}); save it anew"
            ) from None
        return list(read)

    def refuse_known(self, node: str) -> None:
        """Only the gateway knows; it refuses a node that it has."""

    def enter(self, node: str, chosen: Place, key: bytes, board: str | None) -> None:
        """Write the file, whole or not at all."""
        made_at = iso_utc(time.time_ns() // 1_000_000)
        fields = {
            "node": node,
            "kind": chosen["kind"],
            "place": chosen["id"],
            "board": board,
            "made_at": made_at,
        }
        write_whole(self._to, seal(self._secret, key, **fields))


Ledger = Network | Stick


def ledger_of(
    gateway: str | None,
    config: str | None,
    program: str | None,
    to: Path | None,
    places: Path | None,
    secret: Path | None,
) -> Ledger:
    """The registry that is named on the command line. AskedWrong."""
    if to is None:
        return Network(shell(gateway, config, program))
    if gateway or places is None or secret is None:
        raise AskedWrong(
            "--to is for a gateway out of reach: it needs --places FILE and --secret FILE, and no --gateway"
        )
    return Stick(to, places, secret)
