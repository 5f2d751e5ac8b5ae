"""An update of many nodes in waves: how they are cut, how a node has fared, and when it must stop. Pure."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from derb_gateway.commands import Command
from derb_gateway.errors import ConfigError
from derb_gateway.orders_rows import Reported

_ON_TRIAL_CONFIRMED, _RETURNED, _REFUSED = 3, 4, 16
_OPEN = (None, "started")
_GONE_MS = 2 * 86_400_000


class NodeState(StrEnum):
    """How far a node of a campaign is."""

    WAITING = "waiting"
    ORDERED = "ordered"
    UPDATED = "updated"
    FAILED = "failed"
    SILENT = "silent"
    LEFT_OUT = "left_out"


BAD = (NodeState.FAILED, NodeState.SILENT)
SETTLED = (NodeState.UPDATED, NodeState.LEFT_OUT, *BAD)


class CampaignState(StrEnum):
    """What a campaign does; `stopped` is its own doing, by the threshold."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ABORTED = "aborted"
    DONE = "done"


class Member(NamedTuple):
    """A node of a campaign; `command` is the id of its order."""

    node: str
    wave: int
    state: NodeState
    command: int | None = None
    why: str = ""


class Plan(NamedTuple):
    """What was asked for: `waves` are how many nodes shall have been ordered after each."""

    version: int
    waves: tuple[int, ...]
    stop_pct: int
    battery_mv: int
    within_s: int


def parse_waves(text: str, nodes: int) -> tuple[int, ...]:
    """Return 1,5%,25%,all as rising numbers of nodes, the last one all of them; ConfigError."""
    sizes = [_size(word.strip(), nodes) for word in text.split(",")]
    if sizes != sorted(sizes):
        raise ConfigError([f"--waves {text}: each must be larger than the one before: 1,5%,25%,all"])
    return tuple(sorted({*sizes, nodes}))


def _size(word: str, nodes: int) -> int:
    if word == "all":
        return nodes
    match = re.fullmatch(r"([1-9][0-9]{0,5})(%?)", word)
    if match is None or (match[2] and int(match[1]) > 100):
        raise ConfigError([f"--waves: {word!r} is none: write a number of nodes, a share as 5%, or all"])
    size = math.ceil(int(match[1]) * nodes / 100) if match[2] else int(match[1])
    return min(size, nodes)


def in_order(nodes: Iterable[str], version: int, heard: Mapping[str, int]) -> list[str]:
    """Return nodes as they get their turn: those that speak first, so that the first wave says something soon.

    Among those by a hash, so that a wave is spread over the streets. `heard`: when each spoke of itself last.
    """
    return sorted(
        nodes,
        key=lambda node: (node not in heard, hashlib.sha256(f"{version}:{node}".encode()).digest()),
    )


def wave_of(place: int, waves: Sequence[int]) -> int:
    """Return the wave of the node at a place of the order, from 0."""
    return next(wave for wave, size in enumerate(waves) if place < size)


def why_not_now(plan: Plan, reported: Reported | None, commands: Iterable[Command], now_ms: int) -> str:
    """Return why a node may not be ordered now; nothing if it may."""
    if told := open_update(commands, now_ms):
        return f"it {told}"
    if plan.battery_mv:
        battery_mv = (reported.health if reported else {}).get("battery_mv")
        if battery_mv is None:
            return "it has not told its battery yet"
        if battery_mv < plan.battery_mv:
            return f"its battery is low ({battery_mv} mV)"
    return ""


def open_update(commands: Iterable[Command], now_ms: int) -> str:
    """Return that a node has an update to deal with, if it has one: never two at once."""
    for command in commands:
        if command.name == "update" and command.result in _OPEN and command.deadline_ms >= now_ms:
            return f"has another update to deal with (command {command.id})"
    return ""


def has_version(plan: Plan, reported: Reported | None) -> bool:
    """Return whether a node says that it runs the campaign's version for good."""
    fields = reported.health if reported else {}
    on_trial = fields.get("update_version") == plan.version and fields.get("update_state") in (1, 2)
    return fields.get("firmware_version") == plan.version and not on_trial


def is_gone(plan: Plan, reported: Reported | None, now_ms: int) -> bool:
    """Return whether a node fell silent before its turn: a wave shall not wait for it. One that nobody has heard yet may come."""
    return reported is not None and now_ms - reported.at_ms > max(plan.within_s * 1000, _GONE_MS)


def judged(
    plan: Plan, member: Member, reported: Reported | None, command: Command | None, now_ms: int
) -> Member:
    """Return an ordered node with what has become of it."""
    if has_version(plan, reported) or (command is not None and command.result == "done"):
        return member._replace(state=NodeState.UPDATED, why="")
    if why := _failure(plan, reported, command):
        return member._replace(state=NodeState.FAILED, why=why)
    if command is None:
        return member._replace(state=NodeState.SILENT, why="its order is gone")
    if now_ms > command.deadline_ms:
        told = "it did not come to an end in time" if command.result else "it has not spoken since"
        return member._replace(state=NodeState.SILENT, why=told)
    return member


def _failure(plan: Plan, reported: Reported | None, command: Command | None) -> str:
    """Return why an update failed, as the node says; nothing if it does not. Health of before the order tells nothing."""
    if command is not None and command.result not in (*_OPEN, "done"):
        return f"{command.result} ({command.value})"
    fields = reported.health if reported and command and reported.at_ms > command.asked_ms else {}
    if fields.get("update_version") != plan.version:
        return ""
    state = fields.get("update_state", 0)
    if state == _RETURNED:
        return "returned to what it had: it got no receipt with the new one"
    return f"refused, reason {state - _REFUSED}" if state > _REFUSED else ""


def too_many_bad(plan: Plan, members: Iterable[Member], wave: int) -> str:
    """Return why a campaign must stop, judged by its present wave and by all that were ordered; nothing if it may go on."""
    ordered = [each for each in members if each.state not in (NodeState.WAITING, NodeState.LEFT_OUT)]
    for what, group in (("this wave", [each for each in ordered if each.wave == wave]), ("all", ordered)):
        states = Counter(each.state for each in group)
        bad = sum(states[state] for state in BAD)
        if bad and bad * 100 >= plan.stop_pct * len(group):
            return f"{bad} of {len(group)} of {what} failed or fell silent: {plan.stop_pct} % is the limit"
    return ""
