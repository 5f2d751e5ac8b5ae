"""The registry as a table for a spreadsheet: one row a place or a node without one; keys only when they are asked for."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from derb_gateway.errors import ConfigError
from derb_gateway.registry_file import Bay, Container, NodeEntry, RegistryFile, node_id
from derb_gateway.registry_text import RegistryText
from derb_gateway.toml_model import Settings, nearest, read_text

_PLACE = ("id", "zone", "lat", "lon")
_FORM = ("empty_mm", "full_mm", "floor_pct", "shape")
_NODE = ("node", "key", "board", "mount")
COLUMNS = ("kind", *_PLACE, *_FORM, *_NODE)
_NUMBERS = {"lat": float, "lon": float, "empty_mm": int, "full_mm": int, "floor_pct": int}

Row = dict[str, str]


def to_csv(read: RegistryFile, *, with_keys: bool) -> str:
    """Return the registry as CSV; nodes that were replaced, closures and fill tables are in the TOML file only."""
    columns = [name for name in COLUMNS if with_keys or name != "key"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(read))
    return text.getvalue()


def _rows(read: RegistryFile) -> Iterator[dict[str, Any]]:
    current = [node for node in read.node if node.replaced_by is None]
    for kind, places in (("bay", read.bay), ("container", read.container)):
        watching = {getattr(node, kind): node for node in current}
        for place in places:
            row = place.model_dump(include={*_PLACE, *_FORM})
            yield {"kind": kind, **row, **_node_columns(watching.get(place.id))}
    for node in current:
        if node.bay is None and node.container is None:
            yield {"kind": "node", **_node_columns(node)}


def _node_columns(node: NodeEntry | None) -> dict[str, Any]:
    return (
        {} if node is None else {"node": node.id, "key": node.key, "board": node.board, "mount": node.mount}
    )


def merge_csv(path: Path, text: RegistryText) -> tuple[int, int]:
    """Write the rows of a CSV file into a registry and return how many tables are new, and how many changed.

    What a row names is added or changed; an empty field changes nothing, and nothing is ever taken out. ConfigError with
    every row that is wrong.
    """
    merging = _Merging(text)
    problems = []
    for line, row in _read(path):
        try:
            merging.take(row)
        except ConfigError as error:
            problems += [f"{path}:{line}: {told}" for told in error.problems]
    if problems:
        raise ConfigError(problems)
    return merging.added, merging.changed


def _read(path: Path) -> Iterator[tuple[int, Row]]:
    lines = csv.reader(io.StringIO(read_text(path)), strict=True)
    try:
        columns = [name.strip() for name in next(lines, [])]
        if wrong := [name for name in columns if name not in COLUMNS]:
            raise ConfigError(
                [
                    f"{path}:1: {wrong[0]!r} is no column{nearest(wrong[0], COLUMNS)}; columns are separated by commas"
                ]
            )
        if "kind" not in columns:
            raise ConfigError([f"{path}:1: there is no column kind: write bay, container or node there"])
        for fields in lines:
            if len(fields) > len(columns):
                told = (
                    f"{len(fields)} fields and {len(columns)} columns: quote a field that has a comma in it"
                )
                raise ConfigError([f"{path}:{lines.line_num}: {told}"])
            if any(fields):
                yield lines.line_num, dict(zip(columns, map(str.strip, fields), strict=False))
    except csv.Error as error:
        raise ConfigError([f"{path}:{lines.line_num}: is not CSV: {error}"]) from None


class _Merging:
    """Rows into tables."""

    def __init__(self, text: RegistryText) -> None:
        self.added = self.changed = 0
        self._text = text
        self._known = {
            kind: {keys["id"]: (number, keys) for number, keys in text.tables(kind)}
            for kind in ("bay", "container", "node")
        }
        self._known["node"] = {node_id(name): each for name, each in self._known["node"].items()}

    def take(self, row: Row) -> None:
        kind = row.get("kind", "")
        if kind not in ("bay", "container", "node"):
            raise ConfigError([f"kind: {kind!r} is none: write bay, container or node"])
        if kind != "node":
            columns = (*_PLACE, *_FORM) if kind == "container" else _PLACE
            if not row.get("id"):
                raise ConfigError([f"id: is missing: write the {kind}'s name"])
            self._put(kind, row["id"], {name: _value(name, row.get(name, "")) for name in columns})
        if row.get("node"):
            place = {kind: row["id"]} if kind != "node" else {}
            texts = {name: row.get(name) or None for name in ("key", "board", "mount")}
            self._put("node", _node_id(row["node"]), {**texts, **place})

    def _put(self, kind: str, name: str, keys: dict[str, Any]) -> None:
        given = {key: value for key, value in keys.items() if value is not None}
        number, had = self._known[kind].get(name, (None, {"id": name}))
        checked = _checked(kind, {**had, **given})
        if number is None:
            self._text.add(kind, {"id": name, **given})
            self.added += 1
        elif checked != _checked(kind, had):
            self._text.change(number, given)
            self.changed += 1


def _node_id(text: str) -> str:
    try:
        return node_id(text)
    except ValueError as error:
        raise ConfigError([f"node: {text!r} {error}"]) from None


def _value(name: str, text: str) -> object:
    if not text:
        return None
    try:
        return _NUMBERS.get(name, str)(text)
    except ValueError:
        raise ConfigError([f"{name}: {text!r} is no number: write it with a point, as 33.5866"]) from None


def _checked(kind: str, keys: dict[str, Any]) -> Settings:
    models: dict[str, type[Settings]] = {"bay": Bay, "container": Container, "node": NodeEntry}
    try:
        return models[kind].model_validate(keys)
    except ValidationError as error:
        raise ConfigError([_told(kind, each["loc"], each) for each in error.errors()]) from None


def _told(kind: str, location: tuple[int | str, ...], error: Any) -> str:
    column = "node" if kind == "node" and location[:1] == ("id",) else ".".join(map(str, location)) or kind
    if error["type"] == "missing":
        hint = ": import it with the column key, or add the node first" if column == "key" else ""
        return f"{column}: is missing{hint}"
    return f"{column}: {error['msg'].removeprefix('Value error, ')}"
