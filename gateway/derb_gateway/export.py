"""Readings out of a store, as NDJSON or CSV, a few at a time: neither memory nor the store's log grows with them."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from derb_gateway.errors import ExportError
from derb_gateway.place_reports import place_id
from derb_gateway.reader import is_sound, read_only
from derb_gateway.readings import KIND_NAMES
from derb_gateway.registry import Registry, node_id
from derb_gateway.store import StoredReading
from derb_gateway.upstream import COLUMNS, upstream_reading

_ROWS_AT_ONCE = 2_000
_FIELDS = ", ".join(StoredReading._fields)


class Wanted(NamedTuple):
    """Which readings: observed from `since_ms` up to before `until_ms`; empty: all."""

    since_ms: int | None = None
    until_ms: int | None = None
    nodes: tuple[str, ...] = ()
    kinds: tuple[int, ...] = ()

    def condition(self) -> tuple[str, list[Any]]:
        """Return the SQL condition and its values."""
        parts: list[str] = []
        values: list[Any] = []
        for what, value in (("observed_ms >= ?", self.since_ms), ("observed_ms < ?", self.until_ms)):
            if value is not None:
                parts.append(what)
                values.append(value)
        for column, chosen in (("node", self.nodes), ("kind", self.kinds)):
            if chosen:
                parts.append(f"{column} IN ({', '.join('?' * len(chosen))})")
                values += chosen
        return "".join(f" AND {part}" for part in parts), values


def wanted(
    registry: Registry,
    *,
    since: str | None = None,
    until: str | None = None,
    nodes: Iterable[str] = (),
    places: Iterable[str] = (),
    kinds: Iterable[str] = (),
) -> Wanted:
    """Return what an operator asks for; ExportError names what there is none of."""
    chosen = [_node(node) for node in nodes] + [
        each for place in places for each in _speakers(place, registry)
    ]
    return Wanted(
        None if since is None else unix_ms(since),
        None if until is None else unix_ms(until),
        tuple(dict.fromkeys(chosen)),
        tuple(_kind(kind) for kind in kinds),
    )


def unix_ms(text: str) -> int:
    """Return an ISO 8601 day or moment in Unix milliseconds; without an offset it is UTC. ExportError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is no day or time: write 2026-11-28 or 2026-11-28T07:00:00Z"
        raise ExportError(msg) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def count(path: Path, which: Wanted) -> int:
    """Return how many readings there are of what is wanted. StoreError."""
    condition, values = which.condition()
    with read_only(path) as db:
        found = db.execute(f"SELECT count(*) FROM reading WHERE 1{condition}", values)  # noqa: S608 - names of ours
        return int(found.fetchone()[0])


def rows(path: Path, which: Wanted) -> Iterator[StoredReading]:
    """Yield what is wanted in the order in which it came; no transaction stays open between batches. StoreError."""
    condition, values = which.condition()
    query = f"SELECT {_FIELDS} FROM reading WHERE id > ?{condition} ORDER BY id LIMIT ?"  # noqa: S608 - names of ours
    after = -1
    while True:
        with read_only(path) as db:
            batch = [
                StoredReading(*row) for row in db.execute(query, (after, *values, _ROWS_AT_ONCE)).fetchall()
            ]
        yield from filter(is_sound, batch)
        if len(batch) < _ROWS_AT_ONCE:
            return
        after = batch[-1].id


def ndjson(readings: Iterable[StoredReading], registry: Registry) -> Iterator[str]:
    """Yield one line a reading, as a sink gets it."""
    for reading in readings:
        yield json.dumps(upstream_reading(reading, registry), separators=(",", ":")) + "\n"


def comma_separated(readings: Iterable[StoredReading], registry: Registry) -> Iterator[str]:
    """Yield a head and one line a reading; what a kind has not is empty, a health reading's `fields` are JSON."""
    line = StringIO()
    writer = csv.DictWriter(line, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    yield _taken(line)
    for reading in readings:
        row = upstream_reading(reading, registry)
        if "fields" in row:
            row["fields"] = json.dumps(row["fields"], separators=(",", ":"))
        writer.writerow(row)
        yield _taken(line)


def _taken(line: StringIO) -> str:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text


def _node(text: str) -> str:
    try:
        return node_id(text)
    except ValueError as error:
        msg = f"node {text!r} {error}"
        raise ExportError(msg) from None


def _speakers(place: str, registry: Registry) -> list[str]:
    """Return the nodes that a place has and had, and what stands for a node where the gateway speaks of the place."""
    found = [
        speaker
        for kind, places in (("bay", registry.bays), ("container", registry.containers))
        for node, here in places.items()
        if here.id == place
        for speaker in (node, place_id((kind, place)))
    ]
    if found:
        return found
    msg = f"the registry has no node at a bay or container {place!r}"
    raise ExportError(msg)


def _kind(name: str) -> int:
    for number, known in KIND_NAMES.items():
        if known == name:
            return number
    msg = f"{name!r} is no kind of reading: {', '.join(KIND_NAMES.values())}"
    raise ExportError(msg)
