"""A finished NDJSON file as Parquet: one row a reading, the columns of every kind, zstd.

pyarrow takes tens of megabytes, so it is not loaded before the first file is finished.
"""

import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from derb_gateway.upstream import COLUMNS

log = logging.getLogger(__name__)

_ROWS_A_GROUP = 20_000
_MOMENTS = ("observed_at", "received_at")
_INTEGERS = ("boot", "seq", "confidence", "previous_state_s", "distance_mm", "value", "command")
_YES_OR_NO = ("clock_synchronised", "closed")
_FLOATS = ("time_error_s", "level_pct")


def pack(ndjson: Path) -> Path:
    """Write a file's readings as Parquet beside it and delete it; whole or not at all. OSError.

    Moments are timestamps in UTC with milliseconds; `fields` of a health reading are JSON text.
    """
    import pyarrow as pa
    from pyarrow import parquet

    packed = ndjson.with_suffix(".parquet")
    part = packed.with_name(packed.name + ".part")
    schema = pa.schema([(name, _type(pa, name)) for name in COLUMNS])
    try:
        with parquet.ParquetWriter(part, schema, compression="zstd") as writer:
            for rows in _groups(ndjson):
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    except pa.ArrowException as error:
        msg = f"{packed}: {error}"
        raise OSError(msg) from error
    _sync(part)
    part.rename(packed)
    _sync(packed.parent)
    ndjson.unlink()
    return packed


def _type(pa: Any, column: str) -> Any:
    kind = _type_of(column)
    if kind is datetime:
        return pa.timestamp("ms", tz="UTC")
    return {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}[kind]


def _type_of(column: str) -> type:
    if column in _MOMENTS:
        return datetime
    if column in _INTEGERS:
        return int
    if column in _FLOATS:
        return float
    return bool if column in _YES_OR_NO else str


def _groups(ndjson: Path) -> Iterator[list[dict[str, Any]]]:
    with ndjson.open("rb") as lines:
        rows = _rows(ndjson, lines)
        while group := list(islice(rows, _ROWS_A_GROUP)):
            yield group


def _rows(ndjson: Path, lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            yield _row(json.loads(line))
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            told = {"path": str(ndjson), "line": number, "why": repr(error), "content": line[:300]}
            log.error("line damaged, left out", extra=told)  # noqa: TRY400 - its text says it all


def _row(reading: dict[str, Any]) -> dict[str, Any]:
    if "key" not in reading:
        raise KeyError("key")
    return {name: _value(_type_of(name), reading.get(name)) for name in COLUMNS}


def _value(kind: type, value: Any) -> Any:
    """Return a value as its column has it: what does not fit costs its line, not the file."""
    if value is None:
        return None
    if kind is datetime:
        return datetime.fromisoformat(value)
    if isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    return kind(value)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
