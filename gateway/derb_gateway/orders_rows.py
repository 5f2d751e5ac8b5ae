"""Rows of the file of orders, read and written inside a transaction of whoever asks."""

import json
import sqlite3
from typing import NamedTuple

from derb_gateway.commands import COMMAND_SECTION, Command, encode_command, first_id
from derb_gateway.node_settings import CONFIG_SECTION, Value, encode_config
from derb_gateway.readings import Answer, Health


class Report(NamedTuple):
    """What a node said of itself or of a command, and when it came."""

    node: str
    boot: int
    seq: int
    body: Health | Answer
    at_ms: int

    def is_newer(self, boot: int, seq: int, at_ms: int) -> bool:
        """Return whether this came after that; an erased node begins at any boot number, and only then clocks tell."""
        return self.at_ms > at_ms if self.boot < boot else (self.boot, self.seq) > (boot, seq)


class Desired(NamedTuple):
    """A node's desired configuration: what differs from what it was provisioned with."""

    version: int
    settings: dict[str, Value]
    set_ms: int


class Reported(NamedTuple):
    """A node's latest health reading."""

    at_ms: int
    health: dict[str, int]


def desired_of(db: sqlite3.Connection, node: str) -> Desired | None:
    row = db.execute("SELECT version, settings, set_ms FROM desired WHERE node = ?", (node,)).fetchone()
    return Desired(row[0], json.loads(row[1]), row[2]) if row else None


def reported_of(db: sqlite3.Connection, node: str) -> Reported | None:
    row = db.execute("SELECT at_ms, health FROM reported WHERE node = ?", (node,)).fetchone()
    return Reported(row[0], json.loads(row[1])) if row else None


def commands_of(db: sqlite3.Connection, node: str) -> list[Command]:
    columns = "id, name, argument, deadline_ms, asked_ms, result, value, answered_ms"
    query = f"SELECT {columns} FROM command WHERE node = ? ORDER BY id"  # noqa: S608 - names of ours
    return [Command(*row) for row in db.execute(query, (node,))]


def insert_command(
    db: sqlite3.Connection, node: str, name: str, argument: int, deadline_ms: int, now_ms: int
) -> Command:
    """Queue a command and return it with its id."""
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM command WHERE node = ?", (node,)).fetchone()
    command = Command(max(last + 1, first_id(now_ms)), name, argument, deadline_ms, now_ms)
    db.execute(
        "INSERT INTO command (node, id, name, argument, deadline_ms, asked_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (node, *command[:5]),
    )
    return command


def highest_seen(reported: Reported | None) -> int:
    fields = reported.health if reported else {}
    return max(fields.get("config_version", 0), fields.get("config_refused", 0))


def dealt_with(version: int, reported: Reported | None) -> bool:
    """Whether a node has this version in force, or has refused or left it."""
    return reported is not None and highest_seen(reported) == version


def note_health(db: sqlite3.Connection, report: Report, fields: dict[str, int]) -> None:
    node, reported = report.node, Reported(report.at_ms, fields)
    before = db.execute("SELECT boot, seq, at_ms FROM reported WHERE node = ?", (node,)).fetchone()
    if before and not report.is_newer(*before):
        return
    row = (node, report.boot, report.seq, report.at_ms, json.dumps(fields))
    db.execute("INSERT OR REPLACE INTO reported VALUES (?, ?, ?, ?, ?)", row)
    desired = desired_of(db, node)
    if desired is not None and highest_seen(reported) > desired.version:
        # The node knows versions that this file has lost: under a number that it calls old it would never take ours.
        version = highest_seen(reported) + 1
        db.execute("UPDATE desired SET version = ? WHERE node = ?", (version, node))


def note_answer(db: sqlite3.Connection, node: str, answer: Answer, at_ms: int) -> None:
    db.execute(
        "UPDATE command SET result = ?, value = ?, answered_ms = ? WHERE node = ? AND id = ?"
        " AND (result IS NULL OR result = 'started')",
        (answer.result, answer.value, at_ms, node, answer.command),
    )


def config_section(db: sqlite3.Connection, node: str) -> list[tuple[int, bytes]]:
    desired = desired_of(db, node)
    if desired is None or dealt_with(desired.version, reported_of(db, node)):
        return []
    return [(CONFIG_SECTION, encode_config(desired.version, desired.settings))]


def command_section(db: sqlite3.Connection, node: str, now_ms: int) -> list[tuple[int, bytes]]:
    waiting = [c for c in commands_of(db, node) if c.result is None and c.deadline_ms >= now_ms]
    return [(COMMAND_SECTION, encode_command(waiting[0]))] if waiting else []
