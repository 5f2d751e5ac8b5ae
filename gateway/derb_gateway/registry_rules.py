"""What must hold between the tables of a registry; each mistake with the place of its table and what to do."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from derb_gateway.registry_file import ClosedEntry, NodeEntry, RegistryFile
from derb_gateway.site_time import unix_ms
from derb_gateway.toml_model import nearest

Mistake = tuple[tuple[str, int], str]
"""(table, index) and what is wrong with it."""


def mistakes(read: RegistryFile) -> Iterator[Mistake]:
    """Yield what is wrong, in no order that means anything."""
    for table in ("node", "bay", "container", "zone"):
        yield from _twice(table, [each.id for each in getattr(read, table)])
    yield from _shared_keys(read.node)
    yield from _crowded(read.node, "bay")
    yield from _crowded(read.node, "container")
    yield from _places(read)
    yield from _zones(read)
    yield from _replacements(read)
    names = {
        "bay": frozenset(bay.id for bay in read.bay),
        "container": frozenset(container.id for container in read.container),
        "zone": frozenset([zone.id for zone in read.zone] + [p.zone for p in (*read.bay, *read.container)]),
    }
    for i, closed in enumerate(read.closed):
        for told in _closed(closed, names, read.site.timezone):
            yield ("closed", i), told


def _twice(what: str, ids: list[str]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for i, each in enumerate(ids):
        if each in seen:
            yield (what, i), f"{what} {each!r} is there twice: take one [[{what}]] out"
        seen.add(each)


def _shared_keys(nodes: list[NodeEntry]) -> Iterator[Mistake]:
    """Name the nodes, never the key: two nodes with one key can speak for each other."""
    holder: dict[str, str] = {}
    for i, node in enumerate(nodes):
        first = holder.setdefault(node.key.lower(), node.id)
        if first != node.id:
            yield (
                ("node", i),
                f"nodes {first} and {node.id} have the same key: give one of them a key of its own",
            )


def _crowded(nodes: list[NodeEntry], what: str) -> Iterator[Mistake]:
    """Yield places that two nodes watch at one time."""
    watched: set[str] = set()
    for i, node in enumerate(nodes):
        place = getattr(node, what)
        if place is None or node.replaced_by is not None:
            continue
        if place in watched:
            told = f"take {what} from one of them, or let one replace the other (`derb gateway registry replace`)"
            yield ("node", i), f"a node for {what} {place!r} is there twice: {told}"
        watched.add(place)


def _places(read: RegistryFile) -> Iterator[Mistake]:
    bays, containers = {bay.id for bay in read.bay}, {container.id for container in read.container}
    for i, node in enumerate(read.node):
        for what, place, known in (("bay", node.bay, bays), ("container", node.container, containers)):
            if place is not None and place not in known:
                yield ("node", i), f"node {node.id}: {_missing(what, place, known)}"


def _missing(what: str, name: str, known: Iterable[str]) -> str:
    guess = nearest(name, sorted(known)).split(" there are")[0]
    return f"there is no [[{what}]] with id {name!r}{guess.rstrip(';')}: write one, or mend the name"


def _zones(read: RegistryFile) -> Iterator[Mistake]:
    """Yield zones that are not declared, once any is."""
    zones = [zone.id for zone in read.zone]
    for table in ("bay", "container") if zones else ():
        for i, place in enumerate(getattr(read, table)):
            if place.zone not in zones:
                yield (table, i), f"{table} {place.id!r}: {_missing('zone', place.zone, zones)}"


def _replacements(read: RegistryFile) -> Iterator[Mistake]:
    nodes = {node.id: node for node in read.node}
    zone = read.site.timezone
    for i, node in enumerate(read.node):
        if node.replaced_by is not None and node.replaced_by not in nodes:
            yield ("node", i), f"node {node.id}: {_missing('node', node.replaced_by, list(nodes))}"
        if _is_before(node.replaced_at, node.since, zone):
            yield ("node", i), f"node {node.id}: replaced_at is before since: mend one of them"
        if _is_before(node.key_until, node.replaced_at, zone):
            yield ("node", i), f"node {node.id}: key_until is before replaced_at: mend one of them"
        if _goes_round(node, nodes):
            yield ("node", i), f"node {node.id}: its replacements lead back to it: take replaced_by from one"


def _goes_round(node: NodeEntry, nodes: dict[str, NodeEntry]) -> bool:
    seen, each = set(), nodes.get(node.replaced_by or "")
    while each is not None and each.id not in seen:
        if each.id == node.id:
            return True
        seen.add(each.id)
        each = nodes.get(each.replaced_by or "")
    return False


def _is_before(first: datetime | None, second: datetime | None, zone: str) -> bool:
    return first is not None and second is not None and unix_ms(first, zone) < unix_ms(second, zone)


def _closed(closed: ClosedEntry, names: Mapping[str, frozenset[str]], timezone: str) -> Iterator[str]:
    known = names.get(closed.place[0], frozenset())
    if closed.place[1] not in known:
        yield _missing(*closed.place, known)
    begins, ends = closed.begins, closed.until
    if isinstance(begins, datetime) and isinstance(ends, datetime) and not _is_before(begins, ends, timezone):
        yield "until is not after from: mend one of them"
