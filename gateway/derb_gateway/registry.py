"""Who may speak and where it stands, looked up by node; from one TOML file."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from derb_gateway.closures import Closures, closures_of
from derb_gateway.errors import ConfigError
from derb_gateway.registry_file import Bay as Bay
from derb_gateway.registry_file import Container as Container
from derb_gateway.registry_file import NodeEntry as NodeEntry
from derb_gateway.registry_file import NodeId as NodeId
from derb_gateway.registry_file import RegistryFile
from derb_gateway.registry_file import node_id as node_id
from derb_gateway.registry_rules import mistakes
from derb_gateway.site_time import unix_ms
from derb_gateway.toml_lines import line_of
from derb_gateway.toml_model import parse_toml, read_text

_FOR_EVER_MS = 1 << 62


class Term(NamedTuple):
    """From when until when a node watches its place, and until when its key is good (Unix ms)."""

    since_ms: int = 0
    until_ms: int = _FOR_EVER_MS
    key_until_ms: int = _FOR_EVER_MS


@dataclass(frozen=True)
class Registry:
    """Looked up by node id. A node without a term watches its place for ever."""

    keys: dict[str, bytes] = field(repr=False, default_factory=dict)
    bays: dict[str, Bay] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    terms: Mapping[str, Term] = field(default_factory=dict)
    closures: Closures = field(default_factory=lambda: Closures({}))

    def key(self, node: str) -> bytes | None:
        """Return a node's 32-byte key, None for a stranger."""
        return self.keys.get(node)

    def bay_of(self, node: str, at_ms: int) -> Bay | None:
        """Return the bay that a node watched at a moment."""
        return self.bays.get(node) if self._watches(node, at_ms) else None

    def container_of(self, node: str, at_ms: int) -> Container | None:
        """Return the container that a node watched at a moment."""
        return self.containers.get(node) if self._watches(node, at_ms) else None

    def watched_bays(self) -> Iterable[Bay]:
        """Return the bays that have a node, each once, whatever nodes it had."""
        return {bay.id: bay for bay in self.bays.values()}.values()

    def watched_containers(self) -> Iterable[Container]:
        """Return the containers that have a node, each once."""
        return {container.id: container for container in self.containers.values()}.values()

    @cached_property
    def watching(self) -> dict[tuple[str, str], str]:
        """Return, by ("bay" or "container", id), the node that watches a place now: of those it had, the one that came last."""
        by_term = sorted({*self.bays, *self.containers}, key=lambda node: self._term(node).until_ms)
        watched = {("bay", self.bays[node].id): node for node in by_term if node in self.bays}
        return watched | {
            ("container", self.containers[node].id): node for node in by_term if node in self.containers
        }

    def is_revoked(self, node: str) -> bool:
        """Return whether a node's key was good once and is not any more."""
        return node in self.terms and node not in self.keys

    def expired(self, now_ms: int) -> set[str]:
        """Return the nodes whose keys have had their time."""
        return {node for node in self.keys if self._term(node).key_until_ms <= now_ms}

    def without_keys(self, nodes: set[str]) -> "Registry":
        """Return the registry as it is once these keys are revoked; where the nodes stood is still known."""
        return replace(self, keys={node: key for node, key in self.keys.items() if node not in nodes})

    def _term(self, node: str) -> Term:
        return self.terms.get(node, Term())

    def _watches(self, node: str, at_ms: int) -> bool:
        if node not in self.terms:
            return True
        term = self.terms[node]
        return term.since_ms <= at_ms < term.until_ms


def load_registry(path: Path, now_ms: int | None = None) -> Registry:
    """Return the registry in a TOML file, without keys that have had their time by now; ConfigError with every mistake."""
    read = load_registry_file(path)
    registry = registry_of(read)
    return registry.without_keys(registry.expired(time.time_ns() // 1_000_000 if now_ms is None else now_ms))


def load_registry_file(path: Path) -> RegistryFile:
    """Return the file as it is written; ConfigError with every mistake in it."""
    return parse_registry(read_text(path), path)


def parse_registry(text: str, path: Path) -> RegistryFile:
    """Return the text of a registry file; ConfigError with every mistake in it, by file and line."""
    read = parse_toml(text, path, RegistryFile)
    problems = [(line_of(text, place) or 0, told) for place, told in mistakes(read)]
    if problems:
        raise ConfigError([f"{path}:{line}: {told}" for line, told in sorted(problems)])
    return read


def registry_of(read: RegistryFile) -> Registry:
    """Return a file's tables by node."""
    bays = {bay.id: bay for bay in read.bay}
    containers = {container.id: container for container in read.container}
    return Registry(
        {n.id: bytes.fromhex(n.key) for n in read.node},
        {n.id: bays[n.bay] for n in read.node if n.bay is not None},
        {n.id: containers[n.container] for n in read.node if n.container is not None},
        {n.id: _term(n, read.site.timezone) for n in read.node if _has_term(n)},
        closures_of(read),
    )


def _has_term(node: NodeEntry) -> bool:
    return any(moment is not None for moment in (node.since, node.replaced_at, node.key_until))


def _term(node: NodeEntry, timezone: str) -> Term:
    since, until, key_until = (
        None if moment is None else unix_ms(moment, timezone)
        for moment in (node.since, node.replaced_at, node.key_until)
    )
    return Term(since or 0, until or _FOR_EVER_MS, key_until or _FOR_EVER_MS)
