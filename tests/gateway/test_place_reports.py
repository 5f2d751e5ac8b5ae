"""A place that is closed is called so once, opens by itself as it is then, and keeps what its node sees."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.closures import Closures
from derb_gateway.intake import Intake
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.orders_rows import Report
from derb_gateway.place_book import report_places
from derb_gateway.reader import readings_after
from derb_gateway.readings import PARKING, Health, Parking, Reading, Uplink
from derb_gateway.registry import Registry, Term, parse_registry, registry_of
from derb_gateway.store import Store
from derb_gateway.upstream import COLUMNS, upstream_reading
from derb_tools.wire import encode_uplink
from gateway.kit import KEY, NODE, NOW_MS, arrival
from gateway.test_registry import NODES, PLACES

MINUTE_MS = 60_000


def closed(*spans: tuple[int, int], what: str = 'bay = "b1"') -> str:
    """[[closed]] tables, in minutes from NOW_MS."""
    return "".join(
        f'[[closed]]\n{what}\nfrom = "{_utc(begin)}"\nuntil = "{_utc(end)}"\nwhy = "works"\n'
        for begin, end in spans
    )


def _utc(minute: int) -> str:
    return datetime.fromtimestamp((NOW_MS + minute * MINUTE_MS) / 1000, UTC).isoformat()


class Street:
    """A store, what stands in it for a sink, and a clock in minutes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "derb.sqlite3"
        self.orders = OrderBook(orders_path(self.path))
        self.sequence = 0
        self.rules("")
        self.open()
        self.last_id = self.store.last_id()

    def open(self) -> None:
        self.store = Store(self.path)
        self.intake = Intake(self.registry)

    def close(self) -> None:
        self.store.close()
        self.orders.close()

    def rules(self, text: str) -> None:
        self.registry: Registry = registry_of(parse_registry(NODES + PLACES + text, Path("registry.toml")))

    def look(self, minute: int, *, more_ms: int = 0, synchronised: bool = True) -> int:
        at_ms = NOW_MS + minute * MINUTE_MS + more_ms
        self.store.db.execute("BEGIN IMMEDIATE")
        told = report_places(self.store, self.registry, self.orders, at_ms, synchronised=synchronised)
        self.store.db.execute("COMMIT")
        return told

    def senses(self, state: str, minute: int, comes: int | None = None) -> None:
        """The bay's node observes something, and its frame comes then or later."""
        comes = minute if comes is None else comes
        reading = Reading(self.sequence, (comes - minute) * 60, Parking(state, 95, None))
        payload = encode_uplink(NODE, KEY, Uplink(PARKING, 1, False, (reading,)))
        self.sequence += 1
        self.store.db.execute("BEGIN IMMEDIATE")
        self.intake.take(self.store, [arrival(payload, at_ms=NOW_MS + comes * MINUTE_MS)])
        self.store.db.execute("COMMIT")

    def told(self) -> list[dict[str, Any]]:
        """What a sink gets that has had all before."""
        rows = readings_after(self.path, self.last_id, 1000)
        self.last_id = rows[-1].id if rows else self.last_id
        return [upstream_reading(row, self.registry) for row in rows]

    def states(self) -> list[tuple[str, str]]:
        return [(each["kind"], each["state"]) for each in self.told()]


@pytest.fixture
def street(tmp_path: Path) -> Any:
    street = Street(tmp_path)
    yield street
    street.close()


def test_closed_and_open_again_with_what_the_node_saw_meanwhile(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.senses("free", 0)
    assert street.look(5) == 0
    street.look(10)
    street.senses("occupied", 30)
    assert street.look(40) == 0
    street.look(61)
    first, shut, meanwhile, opened = street.told()
    assert (first["state"], "closed" in first) == ("free", False)
    assert shut == {
        **shut,
        "key": f"bay:b1:1:{NOW_MS // 1000 + 600}",
        "kind": "place",
        "bay": "b1",
        "zone": "maarif",
        "state": "closed",
        "why": "works",
    }
    assert (meanwhile["state"], meanwhile["sensed_state"], meanwhile["closed"]) == (
        "closed",
        "occupied",
        True,
    )
    assert (opened["state"], opened["observed_at"]) == ("occupied", "2026-11-18T12:06:40.000Z")
    assert len({each["key"] for each in (first, shut, meanwhile, opened)}) == 4


def test_every_key_of_it_has_a_column_in_tables(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.look(10)
    street.senses("occupied", 30)
    assert {key for each in street.told() for key in each} <= set(COLUMNS)


def test_nothing_is_said_twice_after_a_restart(street: Street) -> None:
    street.rules(closed((10, 60)))
    assert street.look(10) == 1
    street.store.close()
    street.open()
    assert street.look(11) == 0
    assert street.look(60) == 1
    assert street.look(60) == 0


def test_a_new_store_says_it_under_the_same_key(street: Street, tmp_path: Path) -> None:
    street.rules(closed((10, 60)))
    street.look(10)
    street.look(12)
    other = tmp_path / "other"
    other.mkdir()
    again = Street(other)
    again.rules(closed((10, 60)))
    again.look(20)
    assert [each["key"] for each in again.told()] == [each["key"] for each in street.told()]
    again.close()


def test_what_happened_while_the_gateway_was_away_is_told_in_order(street: Street) -> None:
    street.rules(closed((10, 20), (30, 40), (50, 90)))
    street.look(0)
    street.senses("free", 5)
    street.look(60)
    assert street.states() == [
        ("parking", "free"),
        *[("place", "closed"), ("place", "free")] * 2,
        ("place", "closed"),
    ]


def test_a_reading_that_comes_after_the_opening_mends_it(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.senses("free", 0)
    street.look(10)
    street.look(60)
    street.senses("occupied", 50, comes=70)
    assert street.look(71) == 1
    assert street.look(72) == 0
    told = street.told()
    assert [each["state"] for each in told] == ["free", "closed", "free", "closed", "occupied"]
    assert told[-1]["observed_at"] == told[2]["observed_at"]
    assert told[-1]["seq"] == told[2]["seq"] + 1
    street.senses("free", 75)
    assert street.look(80) == 0  # the node speaks for itself


def test_the_nodes_own_word_stands_in_for_a_reading_that_is_gone(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.look(10)
    street.orders.heard([Report(NODE, 1, 5, Health((("parking_state", 2),)), NOW_MS + 30 * MINUTE_MS)])
    street.look(60)
    assert street.states() == [("place", "closed"), ("place", "occupied")]


def test_a_flipped_bit_in_what_the_node_said_is_unknown_and_no_crash(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.senses("free", 0)
    street.look(10)
    street.store.db.execute("UPDATE reading SET body = 'x' WHERE kind = 1")
    street.look(60)
    assert street.states() == [("place", "closed"), ("place", "unknown")]


def test_opened_by_hand_and_closed_anew_in_the_same_second(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.look(20)
    street.rules("")
    street.look(20)
    street.rules(closed((20, 60)))
    street.look(20)
    told = street.told()
    assert [each["state"] for each in told] == ["closed", "unknown", "closed"]
    assert len({each["key"] for each in told}) == 3
    assert [each["seq"] for each in told] == sorted(each["seq"] for each in told)


def test_a_container_is_closed_too_and_its_levels_go_on(street: Street) -> None:
    street.rules(closed((10, 60), what='container = "c1"'))
    street.look(10)
    street.look(60)
    shut, opened = street.told()
    assert (shut["container"], shut["state"], opened["state"]) == ("c1", "closed", "open")


def test_a_clock_that_is_behind_and_not_vouched_for_changes_nothing(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.look(20)
    assert street.look(-500, synchronised=False) == 0
    assert street.look(21) == 0
    assert street.look(-500) == 1  # the clock was wrong before, and this one is right
    assert street.look(20) == 1
    seqs = [each["seq"] for each in street.told()]
    assert seqs == sorted(set(seqs))


def test_a_bay_without_a_node_opens_as_unknown(street: Street) -> None:
    street.rules(closed((10, 60)))
    street.registry = replace(street.registry, bays={})
    street.look(10)
    street.look(60)
    assert [state for _, state in street.states()] == ["closed", "unknown"]


def test_a_bay_is_as_its_new_node_has_it_though_that_spoke_before_it_took_over(street: Street) -> None:
    street.look(0)
    street.senses("occupied", 2)
    street.look(3)
    street.registry = replace(street.registry, terms={NODE: Term(NOW_MS + 5 * MINUTE_MS)})
    assert street.look(6) == 1
    assert street.look(7) == 0
    before, said = street.told()
    assert (before["state"], "bay" in before) == ("occupied", False)
    assert (said["kind"], said["bay"], said["state"]) == ("place", "b1", "occupied")
    assert said["observed_at"] == "2026-11-18T11:11:40.001Z"
    street.senses("free", 4, comes=8)  # held back on its way
    assert street.look(9) == 1
    assert street.told()[-1]["state"] == "free"


def test_opened_and_taken_over_in_one_second(street: Street) -> None:
    street.rules(closed((1, 5)))
    street.look(2)
    street.look(5)
    street.registry = replace(street.registry, terms={NODE: Term(NOW_MS + 5 * MINUTE_MS)})
    assert [street.look(5), street.look(5), street.look(60)] == [1, 0, 0]


def test_closed_opened_and_taken_over_in_one_second(street: Street) -> None:
    street.rules(closed((1, 5)))
    street.look(1)
    street.rules("")  # it had just begun, so `open` took the rule out
    street.look(1, more_ms=700)
    street.registry = replace(street.registry, terms={NODE: Term(NOW_MS + MINUTE_MS)})
    assert [street.look(1, more_ms=900), street.look(2)] == [1, 0]


def test_a_bay_whose_new_node_has_said_nothing_yet_is_unknown_and_a_closed_one_stays_closed(
    street: Street,
) -> None:
    street.rules(closed((10, 60)))
    street.look(20)
    street.registry = replace(street.registry, terms={NODE: Term(NOW_MS + 25 * MINUTE_MS)})
    assert street.look(30) == 0
    street.look(60)
    assert street.states() == [("place", "closed"), ("place", "unknown")]


def test_no_rules_cost_nothing(street: Street) -> None:
    assert street.registry.closures.rules == Closures({}).rules
    assert street.look(0) == 0
    assert json.dumps(street.told()) == "[]"
