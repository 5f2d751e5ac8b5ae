"""What operators want of nodes and how far it has got: configurations and commands, in a file of their own.

`derb gateway config` and `derb gateway command` write here whether the gateway runs or not; the gateway reads what they
wrote at the next frame of the node, and notes what the node says of it. A store that is damaged and set aside takes none of
it along.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from derb_gateway.aside import drop_oldest, set_aside
from derb_gateway.commands import Command
from derb_gateway.node_settings import Value, encode_config, to_json
from derb_gateway.orders_file import Transaction, open_orders, translated, translating
from derb_gateway.orders_rows import (
    Desired,
    Report,
    Reported,
    command_section,
    commands_of,
    config_section,
    dealt_with,
    desired_of,
    highest_seen,
    insert_command,
    note_answer,
    note_health,
    reported_of,
)
from derb_gateway.readings import Health
from derb_gateway.schema import is_damage

log = logging.getLogger(__name__)


def orders_path(store: Path) -> Path:
    """Return where the orders are, beside the store."""
    return store.with_suffix(".orders.sqlite3")


class OrderBook:
    """The file. Safe in several threads and processes; every method may raise StoreError."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; a damaged one is set aside."""
        self._lock = threading.Lock()
        self._seen = -1
        self._versions: dict[str, int] = {}
        self._busy: set[str] = set()
        try:
            self._db = open_orders(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise translated(path, error) from error
            self._db = _renewed(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # What operators want

    def set_config(self, node: str, changes: Mapping[str, Value | None], now_ms: int) -> Desired:
        """Change a node's desired configuration (None: as provisioned) and return it with its new version."""
        with self.transaction() as db:
            before = desired_of(db, node)
            settings = dict(before.settings) if before else {}
            settings.update({name: value for name, value in changes.items() if value is not None})
            for name in [name for name, value in changes.items() if value is None]:
                settings.pop(name, None)
            version = 1 + max(before.version if before else 0, highest_seen(reported_of(db, node)))
            encode_config(version, settings)
            row = (node, version, to_json(settings), now_ms)
            db.execute("INSERT OR REPLACE INTO desired VALUES (?, ?, ?, ?)", row)
            return Desired(version, settings, now_ms)

    def add_command(self, node: str, name: str, argument: int, deadline_ms: int, now_ms: int) -> Command:
        """Queue a command and return it with its id."""
        with self.transaction() as db:
            return insert_command(db, node, name, argument, deadline_ms, now_ms)

    # What came of it

    def heard(self, reports: Iterable[Report]) -> None:
        """Note what nodes said."""
        with self.transaction() as db:
            for report in reports:
                if isinstance(report.body, Health):
                    note_health(db, report, dict(report.body.fields))
                else:
                    note_answer(db, report.node, report.body, report.at_ms)

    def desired(self, node: str) -> Desired | None:
        """Return a node's desired configuration."""
        with self._lock, translating():
            return desired_of(self._db, node)

    def reported(self, node: str) -> Reported | None:
        """Return a node's latest health."""
        with self._lock, translating():
            return reported_of(self._db, node)

    def commands(self, node: str) -> list[Command]:
        """Return a node's commands, oldest first."""
        with self._lock, translating():
            return commands_of(self._db, node)

    def nodes(self) -> list[str]:
        """Return the nodes that something is known of."""
        query = "SELECT node FROM desired UNION SELECT node FROM reported UNION SELECT node FROM command"
        with self._lock, translating():
            return [node for (node,) in self._db.execute(query)]

    # What goes into a downlink

    def sections(self, node: str, now_ms: int) -> tuple[int, list[tuple[int, bytes]]]:
        """Return the desired version and the sections that the node has not dealt with yet."""
        with self._lock, translating():
            self._look()
            version = self._versions.get(node, 0)
            if node not in self._busy:
                return version, []
            return version, [*config_section(self._db, node), *command_section(self._db, node, now_ms)]

    def _look(self) -> None:
        """Learn who is waited for, if somebody has written since."""
        (seen,) = self._db.execute("PRAGMA data_version").fetchone()
        if seen == self._seen:
            return
        self._seen = seen
        self._versions = dict(self._db.execute("SELECT node, version FROM desired"))
        self._busy = {node for (node,) in self._db.execute("SELECT node FROM command WHERE result IS NULL")}
        for node, version in self._versions.items():
            if not dealt_with(version, reported_of(self._db, node)):
                self._busy.add(node)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hand out the file to be read as it is now."""
        with self._lock, translating():
            yield self._db

    def transaction(self) -> Transaction:
        """Return a transaction, for whoever writes more than one order at once."""
        return Transaction(self._db, self._lock, self._forget)

    def _forget(self) -> None:
        self._seen = -1  # what this connection wrote, `data_version` does not tell it


def _renewed(path: Path) -> sqlite3.Connection:
    """Set a damaged file aside and open a new one; StoreError."""
    try:
        log.error("orders damaged, set aside", extra={"aside": str(set_aside(path))})
        drop_oldest(path)
        return open_orders(path)
    except (OSError, sqlite3.Error) as error:
        raise translated(path, error) from error
