"""Reports on places in the store: what was said last, what a bay's node says, and new ones as readings like any other."""

import json
from collections.abc import Iterator
from functools import partial

from derb_gateway.closures import PlaceKey
from derb_gateway.orders import OrderBook
from derb_gateway.place_reports import PlaceReport, Reported, Sensed, place_id, reports_due, taken_over
from derb_gateway.readings import PARKING, PARKING_STATES, PLACE
from derb_gateway.registry import Registry
from derb_gateway.store import NewReading, Store
from derb_gateway.stored_body import plausible

UNTIL = "places_until"
_BOOT = 1
_LATE_MS = 7 * 86_400_000  # so long after a place was opened what its node held back is waited for


def report_places(
    store: Store, registry: Registry, orders: OrderBook, now_ms: int, *, synchronised: bool
) -> int:
    """Write what is due as readings, inside one of the writer's transactions; return how many.

    A clock that nobody vouches for and that is behind what was reported changes nothing.
    """
    until_ms = store.moment(UNTIL)
    if until_ms is not None and now_ms < until_ms and not synchronised:
        return 0
    span_ms = (now_ms if until_ms is None else min(until_ms, now_ms), now_ms)
    told = _told(store)
    due = []
    for place, since_ms in _newly_watched(registry, now_ms):
        sensed = partial(_sensed, store, registry, orders, place)
        if report := taken_over(place, told.get(place), since_ms, sensed):
            due.append(report)
            told[place] = report.reported()
    for place in _concerned(registry, told, now_ms):
        sensed = partial(_sensed, store, registry, orders, place)
        due += reports_due(registry.closures, place, told.get(place), span_ms, sensed)
    zones = {("bay", bay.id): bay.zone for bay in registry.watched_bays()}
    zones |= {("container", container.id): container.zone for container in registry.watched_containers()}
    store.insert(
        _reading(report, zones.get(report.place), now_ms, synchronised=synchronised) for report in due
    )
    store.db.executemany(
        "INSERT OR REPLACE INTO place_report VALUES (?, ?, ?, ?)",
        [(place_id(report.place), *report.reported()) for report in due],
    )
    store.save_moment(UNTIL, now_ms)
    return len(due)


def _told(store: Store) -> dict[PlaceKey, Reported]:
    rows = store.db.execute("SELECT place, state, at_ms, number FROM place_report")
    return {_place_of(place): Reported(*rest) for place, *rest in rows}


def _place_of(text: str) -> PlaceKey:
    kind, _, name = text.partition(":")
    return kind, name


def _newly_watched(registry: Registry, now_ms: int) -> Iterator[tuple[PlaceKey, int]]:
    """Yield places that got another node lately and are not closed, and since when."""
    for place, node in registry.watching.items():
        term = registry.terms.get(node)
        if term and now_ms - _LATE_MS < term.since_ms <= now_ms and not registry.closures.at(place, now_ms):
            yield place, term.since_ms


def _concerned(registry: Registry, told: dict[PlaceKey, Reported], now_ms: int) -> Iterator[PlaceKey]:
    """Yield places with closures, places that were closed, and those that were opened lately."""
    yield from registry.closures.rules
    for place, last in told.items():
        if place not in registry.closures.rules and (
            last.state == "closed" or now_ms - last.at_ms < _LATE_MS
        ):
            yield place


def _sensed(store: Store, registry: Registry, orders: OrderBook, place: PlaceKey) -> Sensed:
    """Return the newest that is known of a bay: a reading that is still here, or what its node said of itself."""
    node = registry.watching.get(place)
    if node is None:
        return Sensed("unknown", 0)
    row = store.db.execute(
        "SELECT body, observed_ms FROM reading WHERE node = ? AND kind = ? ORDER BY boot DESC, seq DESC LIMIT 1",
        (node, PARKING),
    ).fetchone()
    sound = row is not None and plausible(PARKING, row[0])
    found = Sensed(json.loads(row[0])["state"], row[1]) if sound else Sensed("unknown", 0)
    health = orders.reported(node)
    state = health.health.get("parking_state", 0) if health else 0
    if health and health.at_ms > found.at_ms and 0 < state < len(PARKING_STATES):
        return Sensed(PARKING_STATES[state], health.at_ms)
    return found


def _reading(report: PlaceReport, zone: str | None, now_ms: int, *, synchronised: bool) -> NewReading:
    kind, name = report.place
    body = {kind: name, "zone": zone, "state": report.state, "why": report.why or None}
    return NewReading(
        place_id(report.place),
        _BOOT,
        report.number,
        PLACE,
        json.dumps(body, separators=(",", ":")),
        report.at_ms,
        0,
        False,
        now_ms,
        synchronised,
    )
