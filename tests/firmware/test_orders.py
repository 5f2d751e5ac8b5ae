"""Orders: once or not at all, in time, and only from a downlink that is known to be of now."""

import struct

from derb import orders, reading
from derb.orders import Orders
from derb.remote import Remote
from fakes_nvs import FakeNvs

NOW = 1795000000


class Clock:
    def __init__(self, unix=0):
        self.unix = unix

    def now(self):
        return 100

    def to_unix(self, t):
        return self.unix


def section(id, code=orders.IDENTIFY, deadline=NOW + 60, argument=20):
    out = bytearray()
    reading.put_varint(out, id)
    out.extend(struct.pack("<BI", code, deadline))
    reading.put_varint(out, argument)
    return orders.COMMAND, bytes(out)


def node(nvs, unix=0):
    return Orders(nvs, lambda: Remote(nvs, {}), Clock(unix))


def test_a_command_is_done_once():
    nvs = FakeNvs()
    first = node(nvs)
    first.hear(NOW, True, [section(5)])
    command = first.next()
    assert (command.id, command.code, command.argument) == (5, orders.IDENTIFY, 20)
    assert first.next() is None
    first.hear(NOW, True, [section(5)])
    assert first.next() is None
    again = node(nvs)
    again.hear(NOW, True, [section(5)])
    assert again.next() is None and again.stale == 0


def test_a_crash_in_a_command_does_not_begin_it_again():
    nvs = FakeNvs()
    first = node(nvs)
    first.hear(NOW, True, [section(5, orders.REBOOT)])
    first.next()
    after = node(nvs)
    after.hear(NOW, True, [section(5, orders.REBOOT)])
    assert after.next() is None


def test_an_old_command_is_refused_and_counted():
    nvs = FakeNvs()
    first = node(nvs)
    first.hear(NOW, True, [section(9)])
    first.next()
    first.hear(NOW, True, [section(8)])
    assert first.next() is None and first.stale == 1


def test_a_command_too_late_expires_and_says_so_once():
    nvs = FakeNvs()
    first = node(nvs)
    first.hear(NOW + 61, True, [section(5)])
    assert first.next() is None and first.expired() == [5] and first.expired() == []
    first.hear(NOW + 61, True, [section(5)])
    assert first.expired() == []


def test_an_old_retained_downlink_orders_nothing_while_the_time_is_not_known():
    nvs = FakeNvs()
    first = node(nvs)
    first.hear(NOW, False, [section(5)])
    assert first.next() is None and first.expired() == []
    first.hear(NOW, True, [section(5)])
    assert first.next().id == 5


def test_the_nodes_own_time_judges_a_downlink_that_may_be_old():
    late = node(FakeNvs(), NOW + 3600)
    late.hear(NOW, False, [section(5)])
    assert late.next() is None and late.expired() == [5]
    good = node(FakeNvs(), NOW + 10)
    good.hear(NOW, False, [section(5)])
    assert good.next().id == 5


def test_what_is_younger_than_a_downlink_of_now_is_of_now():
    first = node(FakeNvs())
    first.hear(NOW, True, [])
    first.hear(NOW - 1, False, [section(5)])
    assert first.next() is None
    first.hear(NOW + 5, False, [section(5)])
    assert first.next().id == 5


def test_malformed_sections_are_counted_and_do_nothing():
    kind, good = section(5)
    for bad in (b"", good[:-1], good + b"\0", b"\xff" * 9, section(1 << 31)[1]):
        each = node(FakeNvs())
        each.hear(NOW, True, [(kind, bad), (77, b"of the future")])
        assert each.next() is None and each.malformed == 1, bad


def test_a_configuration_is_passed_on_and_judged():
    nvs = FakeNvs()
    first = node(nvs)
    first.hear(NOW, False, [(orders.CONFIG, b"\x02\x01\x78")])
    assert first.config_taken and Remote(nvs, {}).config.wake_s == 60
    second = node(nvs)
    second.hear(NOW, False, [(orders.CONFIG, b"\x01\x01\x78"), (orders.CONFIG, b"\x03\x01\x02")])
    assert second.stale == 1 and second.config_refused == 3 and not second.config_taken
    second.hear(NOW, False, [(orders.CONFIG, b"")])
    assert second.malformed == 1
