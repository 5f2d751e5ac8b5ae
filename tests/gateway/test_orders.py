"""What operators want outlives everything, goes out until the node has dealt with it, and old words change nothing."""

import errno
import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_gateway.commands import COMMAND_SECTION, Command
from derb_gateway.errors import StoreError
from derb_gateway.node_settings import CONFIG_SECTION, decode_config
from derb_gateway.order_status import node_json, orders_json
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.orders_rows import Report
from derb_gateway.readings import Answer, Health
from gateway.kit import NODE, NOW_MS, OTHER


@pytest.fixture
def book(tmp_path: Path) -> Iterator[OrderBook]:
    opened = OrderBook(tmp_path / "orders.sqlite3")
    yield opened
    opened.close()


_sequence = itertools.count()


def health(at_ms: int = NOW_MS, boot: int = 7, seq: int | None = None, **fields: int) -> Report:
    number = next(_sequence) if seq is None else seq
    return Report(NODE, boot, number, Health(tuple(fields.items())), at_ms)


def answer(command: Command, result: str, value: int = 0) -> Report:
    return Report(NODE, 7, next(_sequence), Answer(command.id, result, value), NOW_MS)


def config_sent(book: OrderBook) -> tuple[int, dict[str, int | str]] | None:
    sections = dict(book.sections(NODE, NOW_MS)[1])
    return decode_config(sections[CONFIG_SECTION]) if CONFIG_SECTION in sections else None


def test_a_configuration_goes_out_until_the_node_has_it(book: OrderBook) -> None:
    assert book.sections(NODE, NOW_MS) == (0, [])
    book.set_config(NODE, {"wake_s": 60}, NOW_MS)
    assert config_sent(book) == (1, {"wake_s": 60})
    book.heard([health(config_version=0)])
    assert config_sent(book) == (1, {"wake_s": 60})
    book.heard([health(config_version=1)])
    assert book.sections(NODE, NOW_MS) == (1, [])
    assert book.sections(OTHER, NOW_MS) == (0, [])


def test_changes_add_up_and_can_be_given_back(book: OrderBook) -> None:
    book.set_config(NODE, {"wake_s": 60, "pings": 5}, NOW_MS)
    desired = book.set_config(NODE, {"pings": None, "hold": 3}, NOW_MS)
    assert (desired.version, desired.settings) == (2, {"wake_s": 60, "hold": 3})


def test_a_configuration_that_the_node_refused_is_not_sent_again(book: OrderBook) -> None:
    book.set_config(NODE, {"empty_mm": 200}, NOW_MS)
    book.heard([health(config_version=0, config_refused=1)])
    assert config_sent(book) is None
    assert node_json(book, NODE, NOW_MS)["config"]["state"] == "refused"
    book.set_config(NODE, {"empty_mm": 900}, NOW_MS)
    assert config_sent(book) == (2, {"empty_mm": 900})


def test_versions_go_on_above_what_the_node_has_seen_when_the_file_was_lost(book: OrderBook) -> None:
    book.set_config(NODE, {"wake_s": 60}, NOW_MS)
    book.heard([health(config_version=41)])
    assert config_sent(book) == (42, {"wake_s": 60})
    book.heard([health(config_version=41, config_refused=90)])
    assert config_sent(book) == (91, {"wake_s": 60})


def test_an_older_health_reading_changes_nothing(book: OrderBook) -> None:
    book.set_config(NODE, {"wake_s": 60}, NOW_MS)
    book.heard([health(seq=9, config_version=1, battery_mv=3500)])
    book.heard([health(NOW_MS + 5000, seq=8, config_version=0)])  # sequence orders, clocks do not
    book.heard([health(NOW_MS - 5000, boot=6, seq=99, config_version=0)])
    reported = book.reported(NODE)
    assert reported is not None
    assert reported.health == {"config_version": 1, "battery_mv": 3500}


def test_a_node_that_was_erased_is_heard_under_a_lower_boot_number(book: OrderBook) -> None:
    book.heard([health(boot=12_000, battery_mv=3500), health(NOW_MS + 5000, boot=9_000, battery_mv=3600)])
    reported = book.reported(NODE)
    assert reported is not None
    assert reported.health == {"battery_mv": 3600}


def test_commands_go_out_one_at_a_time_until_they_are_answered(book: OrderBook) -> None:
    first = book.add_command(NODE, "identify", 20, NOW_MS + 1000, NOW_MS)
    second = book.add_command(NODE, "reboot", 0, NOW_MS + 1000, NOW_MS)
    assert second.id == first.id + 1
    for command in (first, second):
        ((kind, body),) = book.sections(NODE, NOW_MS)[1]
        assert kind == COMMAND_SECTION
        assert body.endswith(bytes([command.argument]))
        book.heard([answer(command, "done")])
    assert book.sections(NODE, NOW_MS)[1] == []
    assert [command.state(NOW_MS) for command in book.commands(NODE)] == ["done", "done"]


def test_a_command_past_its_deadline_does_not_go_out(book: OrderBook) -> None:
    command = book.add_command(NODE, "reboot", 0, NOW_MS + 1000, NOW_MS)
    assert book.sections(NODE, NOW_MS + 1001)[1] == []
    assert book.commands(NODE)[0].state(NOW_MS + 1001) == "expired"
    book.heard([answer(command, "done")])
    assert book.commands(NODE)[0].state(NOW_MS + 1001) == "done"  # it was done in time, its answer came late


def test_the_last_word_on_a_command_stays(book: OrderBook) -> None:
    command = book.add_command(NODE, "update", 101, NOW_MS + 1000, NOW_MS)
    book.heard([answer(command, "started"), answer(command, "failed", 6), answer(command, "started")])
    book.heard([answer(command, "done")])
    assert book.commands(NODE)[0][5:7] == ("failed", 6)


def test_an_answer_to_nothing_is_nothing(book: OrderBook) -> None:
    book.heard([Report(NODE, 7, 0, Answer(77, "done", 0), NOW_MS)])
    assert book.commands(NODE) == []


def test_what_another_process_writes_is_seen(tmp_path: Path) -> None:
    gateway, command_line = OrderBook(tmp_path / "o.sqlite3"), OrderBook(tmp_path / "o.sqlite3")
    assert gateway.sections(NODE, NOW_MS) == (0, [])
    command_line.set_config(NODE, {"wake_s": 60}, NOW_MS)
    assert gateway.sections(NODE, NOW_MS)[0] == 1
    command_line.close()
    gateway.close()
    again = OrderBook(tmp_path / "o.sqlite3")
    assert config_sent(again) == (1, {"wake_s": 60})
    again.close()


def test_a_damaged_file_is_set_aside_and_the_next_begins_higher(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite3"
    before = OrderBook(path)
    old = before.add_command(NODE, "reboot", 0, NOW_MS, NOW_MS)
    before.close()
    path.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    after = OrderBook(path)
    assert len(list(tmp_path.glob("o.sqlite3.damaged-*"))) == 1
    assert after.add_command(NODE, "reboot", 0, NOW_MS, NOW_MS + 60_000).id > old.id
    after.close()


def test_a_damaged_file_that_cannot_be_set_aside_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad_disk(_path: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "o.sqlite3"
    path.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    monkeypatch.setattr("derb_gateway.orders.set_aside", bad_disk)
    with pytest.raises(StoreError, match=r"cannot be used: .* error"):
        OrderBook(path)


def test_a_file_that_cannot_be_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises((StoreError, sqlite3.Error)):
        OrderBook(tmp_path / "no" / "folder" / "o.sqlite3")


def test_a_disk_that_refuses_is_a_store_error(book: OrderBook) -> None:
    book.close()
    with pytest.raises(StoreError):
        book.sections(NODE, NOW_MS)
    with pytest.raises(StoreError):
        book.set_config(NODE, {"wake_s": 60}, NOW_MS)


def test_people_see_what_was_wanted_and_what_is(book: OrderBook) -> None:
    assert orders_json(book, NOW_MS) == {}
    book.set_config(NODE, {"wake_s": 60}, NOW_MS)
    book.add_command(NODE, "identify", 20, NOW_MS + 1000, NOW_MS)
    book.heard([health(config_version=1, battery_mv=3300)])
    shown = orders_json(book, NOW_MS)[NODE]
    assert shown["config"]["state"] == "in_force"
    assert shown["health"]["battery_mv"] == 3300
    assert shown["commands"][0]["state"] == "waiting"


def test_orders_stand_beside_the_store() -> None:
    assert orders_path(Path("/var/lib/derb/derb.sqlite3")) == Path("/var/lib/derb/derb.orders.sqlite3")
