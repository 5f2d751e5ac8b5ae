"""What a board's NVS holds when it leaves the bench: who it is, its secrets, its settings. Names as the firmware reads them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from derb_gateway.node_settings import Value, node_settings
from derb_gateway.registry import Container, Registry

from derb_tools.boards import Board
from derb_tools.chips import CHIPS
from derb_tools.errors import AskedWrong
from derb_tools.flash.node_file import NodeFile
from derb_tools.flash.nvs import Entries
from derb_tools.pin_rules import pin_problems

NODE_NAMESPACE = "derb"
RELAY_NAMESPACE = "relay"
LONGEST_CONFIG = 2048
_PINS_OF_KIND = {
    "parking": ("i2c_scl", "i2c_sda", "int_pin", "batt_pin"),
    "level": ("trig_pin", "echo_pin", "batt_pin"),
}
_LID_PINS = ("i2c_scl", "i2c_sda", "int_pin")
_NOT_WIRED = -1


@dataclass(frozen=True)
class Identity:
    """A node as the registry knows it; `container` for what its frames do not say."""

    node: str
    key: bytes
    kind: str | None
    place: str | None
    container: Container | None = None


def identity(registry: Registry, node: str) -> Identity:
    """Who the board with this factory id is. AskedWrong when the registry does not know it."""
    key = registry.key(node)
    if key is None:
        raise AskedWrong(
            f"node {node} is not in the registry: add a [[node]] with this id, a key and its bay or container"
        )
    if node in registry.containers:
        container = registry.containers[node]
        return Identity(node, key, "level", container.id, container)
    bay = registry.bays.get(node)
    return Identity(node, key, "parking" if bay else None, bay.id if bay else None)


def node_entries(name: str, board: Board, given: NodeFile, who: Identity, unix_s: int) -> Entries:
    """The entries of a node on the board called `name`; `unix_s`: now. AskedWrong for what does not go together."""
    settings = node_config(name, board, given.settings, who)
    config = json.dumps(settings, separators=(",", ":")).encode()
    if len(config) > LONGEST_CONFIG:
        raise AskedWrong(
            f"{given.path}: the settings take {len(config)} bytes, and a node reads {LONGEST_CONFIG}; leave out defaults"
        )
    entries: dict[str, int | bytes] = {"cfg": config, "key": who.key}
    if settings.get("tls") == "ca":
        if not given.ca:
            raise AskedWrong(f'{given.path}: tls = "ca" needs `ca`, the file of the authority\'s certificate')
        # Certificates are verified by a clock that would otherwise say 2000.
        entries |= {"ca": given.ca, "time_floor": unix_s}
    if given.update_key:
        entries["upd_key"] = given.update_key
    if given.door_pin is not None:
        entries["door_pin"] = given.door_pin
    return {NODE_NAMESPACE: entries}


def bare_entries(name: str, board: Board, given: NodeFile) -> Entries:
    """The entries of a node that gets its key and its place later: what the board is, and what is `given`. AskedWrong."""
    settings: dict[str, Value] = {"board": name, **board.pins.given()}
    if board.battery:
        settings["batt_ratio_x100"] = board.battery.batt_ratio_x100
    settings |= given.settings
    _check_pins(board, settings, board.pins.given())
    return {NODE_NAMESPACE: {"cfg": json.dumps(_without_defaults(settings), separators=(",", ":")).encode()}}


def relay_entries(channel: int) -> Entries:
    """The entries of a relay on Wi-Fi channel `channel`, 0: it waits to be told."""
    return {RELAY_NAMESPACE: {"channel": channel} if channel else {}}


def node_config(name: str, board: Board, given: Mapping[str, Value], who: Identity) -> dict[str, Value]:
    """The settings of a node: the board's pins, what the registry knows, and above them what is `given`."""
    kind = _kind(given, who)
    tilt = kind == "level" and bool(given.get("tilt"))
    keys = (*_PINS_OF_KIND[kind], *(_LID_PINS if tilt else ()))
    pins = {key: pin for key, pin in board.pins.given().items() if key in keys}
    settings: dict[str, Value] = {"kind": kind, "board": name, "int_pin": _NOT_WIRED, **pins}
    if board.battery:
        settings["batt_ratio_x100"] = board.battery.batt_ratio_x100
    settings |= _of_container(who.container) | dict(given)
    defaults = node_settings()
    faults = [f"{key}: {fault}" for key, value in settings.items() if (fault := defaults[key].fault(value))]
    if faults:
        raise AskedWrong("\n".join(faults))
    _check_pins(board, settings, keys)
    _check_depths(settings)
    return _without_defaults(settings)


def _without_defaults(settings: Mapping[str, Value]) -> dict[str, Value]:
    defaults = node_settings()
    return {key: value for key, value in settings.items() if key == "kind" or value != defaults[key].default}


def _kind(given: Mapping[str, Value], who: Identity) -> str:
    kind = given.get("kind", who.kind)
    if kind is None:
        raise AskedWrong(
            f"node {who.node} has neither a bay nor a container in the registry: give it one, or say `kind`"
        )
    if who.kind and kind != who.kind:
        raise AskedWrong(
            f"kind = {kind!r} in the settings, but {who.place}, where node {who.node} stands, needs {who.kind!r}"
        )
    return str(kind)


def _of_container(container: Container | None) -> dict[str, Value]:
    if container is None:
        return {}
    settings: dict[str, Value] = {"empty_mm": container.empty_mm, "full_mm": container.full_mm}
    settings |= {"floor_pct": container.floor_pct, "shape": container.shape}
    if container.fill_table:
        settings["fill_table"] = ",".join(f"{mm}:{pct:.1f}" for mm, pct in container.fill_table)
    return settings


def _check_pins(board: Board, settings: Mapping[str, Value], keys: Iterable[str]) -> None:
    pins = {key: int(settings[key]) for key in keys if key in settings and settings[key] != _NOT_WIRED}
    taken = {each.pin: each.by for each in board.taken}
    problems = pin_problems(CHIPS[board.chip], pins, board.header, taken)
    if problems:
        raise AskedWrong("\n".join(f"{key}: {why}" for key, why in problems.items()))


def _check_depths(settings: Mapping[str, Value]) -> None:
    defaults = node_settings()
    empty_mm, full_mm = (int(settings.get(key, defaults[key].default)) for key in ("empty_mm", "full_mm"))
    if full_mm >= empty_mm:
        raise AskedWrong(f"full_mm ({full_mm}) must be less than empty_mm ({empty_mm})")
