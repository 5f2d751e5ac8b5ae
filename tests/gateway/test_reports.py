"""What nodes say of themselves is noted beside the store; what goes wrong there stops no reading."""

from pathlib import Path

import pytest
from derb_gateway.arrivals import Outcome
from derb_gateway.orders import OrderBook
from derb_gateway.orders_rows import Report
from derb_gateway.readings import Health
from derb_gateway.reports import note
from gateway.kit import NODE, NOW_MS

HEARD = Outcome({}, 1, [], [Report(NODE, 7, 1, Health((("config_version", 9),)), NOW_MS)])


async def test_orders_that_are_damaged_stop_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    orders = OrderBook(tmp_path / "orders.sqlite3")
    orders.set_config(NODE, {"wake_s": 60}, NOW_MS)
    with orders.transaction() as db:
        db.execute("UPDATE desired SET settings = '{'")
    await note(orders, HEARD)
    assert caplog.messages == ["orders not noted"]
    with orders.transaction() as db:
        db.execute("UPDATE desired SET settings = '{}'")
    await note(orders, HEARD)
    assert orders.reported(NODE) is not None
    orders.close()


async def test_a_file_that_is_gone_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    orders = OrderBook(tmp_path / "orders.sqlite3")
    orders.close()
    await note(orders, HEARD)
    assert caplog.messages == ["orders not noted"]
