"""The street's refused messages as an operator handles them, in another process than the gateway's."""

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from derb_gateway.beside import beside_gateway
from derb_gateway.clock import iso_utc
from derb_gateway.reader import read_only

_TOPIC = re.compile(r"d/([0-9a-f]{12})/u")
_COLUMNS = "id, topic, reason, detail, raw, length, first_ms, last_ms, count"


class Held(NamedTuple):
    """A refused message; `raw` may be only the beginning of its `length` bytes. Times are Unix ms."""

    id: int
    topic: str
    reason: str
    detail: str
    raw: bytes
    length: int
    first_ms: int
    last_ms: int
    times: int
    wanted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what an operator is shown of it in a list."""
        node = _TOPIC.fullmatch(self.topic)
        return {
            "id": f"s{self.id}",
            "street": self.topic,
            "node": node[1] if node else None,
            "reason": self.reason,
            "why": self.detail,
            "bytes": self.length,
            "first": iso_utc(self.first_ms),
            "last": iso_utc(self.last_ms),
            "times": self.times,
            "replay": self.wanted,
        }


class Which(NamedTuple):
    """Which messages: these ids, or all of a reason, of a node; nothing given: all."""

    ids: Sequence[int] = ()
    reason: str | None = None
    node: str | None = None

    def condition(self) -> tuple[str, list[Any]]:
        """Return the SQL condition and its values."""
        parts: list[str] = ["1"]
        values: list[Any] = []
        if self.ids:
            parts.append(f"id IN ({', '.join('?' * len(self.ids))})")
            values += self.ids
        if self.reason is not None:
            parts.append("reason = ?")
            values.append(self.reason)
        if self.node is not None:
            parts.append("topic = ?")
            values.append(f"d/{self.node}/u")
        return " AND ".join(parts), values


class StreetQuarantine:
    """The store's table. Every method may raise StoreError; none makes a store."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def listed(self, which: Which) -> list[Held]:
        """Return what is kept, the longest unseen first."""
        if not self._store.exists():
            return []
        condition, values = which.condition()
        with read_only(self._store) as db:
            wanted = {id_ for (id_,) in db.execute(f"SELECT id FROM {_replay_table(db)}")}  # noqa: S608 - names of ours
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM quarantine WHERE {condition} ORDER BY last_ms, id",  # noqa: S608 - names of ours
                values,
            ).fetchall()
        return [Held._make((*row, row[0] in wanted)) for row in rows]

    def replay(self, which: Which) -> int:
        """Have messages taken again by a gateway; return how many."""
        condition, values = which.condition()
        statement = f"INSERT INTO replay SELECT id FROM quarantine WHERE {condition} ON CONFLICT DO UPDATE SET id = id"  # noqa: S608 - names of ours
        return self._change(statement, values)

    def drop(self, which: Which) -> int:
        """Forget messages for good; return how many."""
        condition, values = which.condition()
        return self._change(f"DELETE FROM quarantine WHERE {condition}", values)  # noqa: S608 - names of ours

    def _change(self, statement: str, values: list[Any]) -> int:
        if not self._store.exists():
            return 0
        with beside_gateway(self._store, "the quarantine cannot be changed") as db:
            return db.execute(statement, values).rowcount


def _replay_table(db: sqlite3.Connection) -> str:
    """Return where the wishes are; a store that no gateway has opened since an update has no such table yet."""
    there = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'replay'").fetchone()
    return "replay" if there else "(SELECT 0 AS id WHERE 0)"
