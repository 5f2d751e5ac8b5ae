"""The relay's two memories: what came from the air, and what waits for a node that sleeps. Both are bounded."""

from relay.held import Held
from relay.uplinks import AGAIN_MS, WINDOW, Uplinks

NODE = b"\x24\x0a\xc4\xa1\xb2\xc3"


def diff(end, start):
    """time.ticks_diff of the ESP32."""
    return ((end - start + (1 << 29)) & ((1 << 30) - 1)) - (1 << 29)


def add(ticks, ms):
    return (ticks + ms) & ((1 << 30) - 1)


def written(uplinks, now):
    found = []
    while True:
        due = uplinks.next(now)
        if due is None:
            return found
        found.append(due)


def test_packets_leave_in_order_and_say_how_long_they_were_held():
    uplinks = Uplinks(10, diff)
    uplinks.put(1000, -60, NODE, b"one")
    uplinks.put(1500, -61, NODE, b"two")
    assert written(uplinks, 1700) == [(0, 700, -60, NODE, b"one"), (1, 200, -61, NODE, b"two")]
    assert written(uplinks, 1700) == [] and len(uplinks) == 2


def test_what_is_not_taken_in_time_is_written_again_with_its_new_age():
    uplinks = Uplinks(10, diff)
    uplinks.put(0, -60, NODE, b"one")
    uplinks.put(0, -60, NODE, b"two")
    written(uplinks, 0)
    uplinks.taken(b"\x01")
    assert written(uplinks, AGAIN_MS - 1) == []
    assert written(uplinks, AGAIN_MS) == [(0, AGAIN_MS, -60, NODE, b"one")]
    assert uplinks.again == 1
    uplinks.taken(b"\x00")
    assert len(uplinks) == 0


def test_only_a_window_is_on_the_line():
    uplinks = Uplinks(100, diff)
    for i in range(50):
        uplinks.put(0, 0, NODE, bytes((i,)))
    assert [due[0] for due in written(uplinks, 0)] == list(range(WINDOW))
    uplinks.taken(bytes((0, 3)))
    assert [due[0] for due in written(uplinks, 0)] == [WINDOW, WINDOW + 1]


def test_a_full_queue_drops_the_oldest_and_counts_it():
    uplinks = Uplinks(3, diff)
    for i in range(5):
        uplinks.put(i, 0, NODE, bytes((i,)))
    assert [due[4] for due in written(uplinks, 9)] == [b"\x02", b"\x03", b"\x04"]
    assert uplinks.dropped == 2 and len(uplinks) == 3


def test_numbers_and_ticks_wrap():
    uplinks = Uplinks(10, diff)
    now = (1 << 30) - 50
    for i in range(600):
        uplinks.put(now, 0, NODE, b"x")
        now = add(now, 7)
        (due,) = written(uplinks, now)
        assert due[:2] == (i % 256, 7)
        uplinks.taken(bytes((due[0],)))
        uplinks.taken(bytes((due[0], 200)))
    assert len(uplinks) == 0 and uplinks.dropped == 0


def test_a_held_downlink_is_given_once_and_the_newest_counts():
    held = Held(2, add, diff)
    assert held.put(0, 10, NODE, b"old") and held.put(0, 10, NODE, b"new")
    assert len(held) == 1
    assert held.take(9999, NODE) == b"new" and held.take(9999, NODE) is None


def test_a_held_downlink_has_its_end():
    held = Held(2, add, diff)
    start = (1 << 30) - 5000
    held.put(start, 10, NODE, b"x")
    assert held.take(add(start, 10000), NODE) is None
    held.put(start, 10, NODE, b"x")
    held.forget(NODE)
    assert held.take(start, NODE) is None


def test_no_room_is_said_and_old_ones_make_room():
    held = Held(2, add, diff)
    nodes = [bytes((i,)) * 6 for i in range(4)]
    assert held.put(0, 10, nodes[0], b"x") and held.put(0, 20, nodes[1], b"x")
    assert not held.put(0, 10, nodes[2], b"x")
    assert held.put(10000, 10, nodes[2], b"y"), "the first one's time is over"
    assert len(held) == 2 and held.take(10001, nodes[1]) == b"x"


def test_as_long_as_a_day_fits_the_ticks():
    held = Held(2, add, diff)
    held.put(5, 65535, NODE, b"x")
    assert held.take(add(5, 65534000), NODE) == b"x"
