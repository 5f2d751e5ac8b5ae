"""Receipts say what a commit returned, with the gateway's time and how good it is."""

from pathlib import Path

import pytest
from derb_gateway.arrivals import Outcome
from derb_gateway.downlink import Range
from derb_gateway.orders import OrderBook
from derb_gateway.receipts import Due, receipts
from derb_tools.downlink import decode_downlink
from gateway.kit import KEY, NODE, NOW_MS, OTHER, STRANGER, StillClock, registry


def test_one_downlink_a_node() -> None:
    clock = StillClock()
    clock.is_synchronised = False
    outcome = Outcome({NODE: [Range(3, 0, 17)], OTHER: [Range(1, 5, 5)]}, 1)
    given = dict(receipts(outcome.ranges, registry(), clock))
    assert set(given) == {f"d/{NODE}/d", f"d/{OTHER}/d"}
    downlink = decode_downlink(NODE, KEY, given[f"d/{NODE}/d"])
    assert downlink.ranges == (Range(3, 0, 17),)
    assert (downlink.unix_s, downlink.synchronised, downlink.config_version) == (NOW_MS // 1000, False, 0)


def test_a_node_that_left_the_registry_meanwhile_gets_none() -> None:
    assert list(receipts({STRANGER: [Range(1, 0, 0)]}, registry(), StillClock())) == []


def test_what_is_owed_is_given_once_and_the_latest_of_it() -> None:
    due = Due()
    assert due.take()[0] == {}
    assert due.waited_s(9.0) == 0
    due.add(Outcome({NODE: [Range(3, 0, 1)], OTHER: [Range(1, 5, 5)]}, 1), came_s=1.0, now_s=2.0)
    due.add(Outcome({NODE: [Range(3, 0, 4)]}, 1), came_s=3.0, now_s=4.0)
    assert due.waited_s(4.5) == 2.5
    assert due.take() == ({NODE: [Range(3, 0, 4)], OTHER: [Range(1, 5, 5)]}, 1.0)
    assert due.take()[0] == {}


def test_a_receipt_waits_for_no_order_that_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    orders = OrderBook(tmp_path / "orders.sqlite3")
    orders.set_config(NODE, {"wake_s": 60}, NOW_MS)
    for settings in ('{"wake_s": 6', '{"wake_r": 60}'):
        with orders.transaction() as db:
            db.execute("UPDATE desired SET settings = ?", (settings,))
        given = dict(receipts({NODE: [Range(3, 0, 17)]}, registry(), StillClock(), orders))
        downlink = decode_downlink(NODE, KEY, given[f"d/{NODE}/d"])
        assert (downlink.ranges, downlink.config_version) == ((Range(3, 0, 17),), 0)
    assert caplog.messages == ["orders not read"] * 2
    orders.close()
