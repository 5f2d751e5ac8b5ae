"""Who may speak and where it stands: nodes, bays and containers from one TOML file."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from derb_gateway.errors import ConfigError
from derb_gateway.fill_shape import FillTable, of_shape, of_table
from derb_gateway.toml_model import Settings, load_toml

_NODE = re.compile(r"[0-9a-f]{12}")
_KEY = re.compile(r"[0-9a-fA-F]{64}")


def node_id(text: str) -> str:
    """Return a node id as it is on the wire; capitals, colons and dashes as in a MAC address are taken. ValueError."""
    node = re.sub(r"[\s:-]", "", text).lower()
    if not _NODE.fullmatch(node):
        raise ValueError("is not 12 hex digits")
    return node


def _key_hex(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError("is not 64 hex digits")
    return text


NodeId = Annotated[str, AfterValidator(node_id)]
KeyHex = Annotated[str, AfterValidator(_key_hex), Field(repr=False)]


class NodeEntry(Settings):
    """One [[node]]: its factory id (12 hex digits), its key (64) and what it watches."""

    id: NodeId
    key: KeyHex
    bay: str | None = None
    container: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "NodeEntry":
        if self.bay is not None and self.container is not None:
            raise ValueError("a node watches a bay or a container, not both")
        return self


class Bay(Settings):
    """One [[bay]]: a parking place."""

    id: str
    zone: str
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)


class Container(Bay):
    """One [[container]]: a waste bin, its empty and full distance in mm, and its shape or its own table."""

    empty_mm: int = Field(gt=0)
    full_mm: int = Field(ge=0)
    floor_pct: int = Field(default=100, ge=10, le=1000)
    shape: Literal["cone", "box"] = "cone"
    fill_table: FillTable = ()

    @model_validator(mode="after")
    def _empty_is_deeper(self) -> "Container":
        if self.empty_mm <= self.full_mm:
            raise ValueError("empty_mm must be more than full_mm: the surface rises towards the sensor")
        return self

    def level_pct(self, distance_mm: int) -> float:
        """Return the fill level in percent, 0.0 to 100.0, to one decimal."""
        if self.fill_table:
            return round(of_table(self.fill_table, distance_mm), 1)
        height = (self.empty_mm - distance_mm) / (self.empty_mm - self.full_mm)
        return round(100 * of_shape(min(1.0, max(0.0, height)), self.floor_pct / 100, self.shape), 1)


class RegistryFile(Settings):
    """The file as written."""

    node: list[NodeEntry] = Field(default_factory=list)
    bay: list[Bay] = Field(default_factory=list)
    container: list[Container] = Field(default_factory=list)


@dataclass(frozen=True)
class Registry:
    """Looked up by node id."""

    keys: dict[str, bytes] = field(repr=False, default_factory=dict)
    bays: dict[str, Bay] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)

    def key(self, node: str) -> bytes | None:
        """Return a node's 32-byte key, None for a stranger."""
        return self.keys.get(node)


def load_registry(path: Path) -> Registry:
    """Return the registry in a TOML file; ConfigError with every mistake in it."""
    read = load_toml(path, RegistryFile)
    problems = [f"{path}: {problem}" for problem in _problems(read)]
    if problems:
        raise ConfigError(problems)
    bays = {bay.id: bay for bay in read.bay}
    containers = {container.id: container for container in read.container}
    return Registry(
        {n.id: bytes.fromhex(n.key) for n in read.node},
        {n.id: bays[n.bay] for n in read.node if n.bay is not None},
        {n.id: containers[n.container] for n in read.node if n.container is not None},
    )


def _problems(read: RegistryFile) -> list[str]:
    bays, containers = {bay.id for bay in read.bay}, {c.id for c in read.container}
    problems = _twice("node", [n.id for n in read.node])
    problems += _twice("bay", [b.id for b in read.bay]) + _twice("container", [c.id for c in read.container])
    problems += _shared_keys(read.node)
    problems += _twice("a node for bay", [n.bay for n in read.node if n.bay is not None])
    problems += _twice("a node for container", [n.container for n in read.node if n.container is not None])
    for n in read.node:
        if n.bay is not None and n.bay not in bays:
            problems.append(f"node {n.id}: there is no [[bay]] with id {n.bay!r}")
        if n.container is not None and n.container not in containers:
            problems.append(f"node {n.id}: there is no [[container]] with id {n.container!r}")
    return problems


def _twice(what: str, ids: list[str]) -> list[str]:
    seen: set[str] = set()
    doubled = {i for i in ids if i in seen or seen.add(i)}  # type: ignore[func-returns-value]
    return [f"{what} {i!r} is there twice" for i in sorted(doubled)]


def _shared_keys(nodes: list[NodeEntry]) -> list[str]:
    """Name the nodes, never the key: two nodes with one key can speak for each other."""
    holder: dict[str, str] = {}
    problems = []
    for n in nodes:
        first = holder.setdefault(n.key.lower(), n.id)
        if first != n.id:
            problems.append(f"nodes {first} and {n.id} have the same key")
    return problems
