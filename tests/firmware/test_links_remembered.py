"""What shortens the next connection is used while it is young and right, and forgotten whole after one failure."""

from derb.links.remembered import SIZE, Remembered

NAMES = ("derb", "gateway.derb", 1883)
LEASE = ("10.0.0.7", "255.255.255.0", "10.0.0.1", "10.0.0.1")


def _remember(now_s=1000):
    remembered = Remembered(b"", lambda: now_s, 3600, NAMES)
    remembered.keep_lease(LEASE)
    remembered.broker = "10.0.0.2"
    remembered.bssid = b"\x02\x01\x02\x03\x04\x05"
    remembered.session = 1
    return remembered.dumps()


def test_all_of_it_comes_back():
    again = Remembered(_remember(), lambda: 1500, 3600, NAMES)
    assert again.lease == LEASE and again.broker == "10.0.0.2"
    assert again.bssid == b"\x02\x01\x02\x03\x04\x05" and again.session == 1


def test_a_lease_grows_old_and_a_clock_that_went_back_ends_it():
    for now_s, known in ((1000, True), (4599, True), (4600, False), (999, False)):
        assert bool(Remembered(_remember(), lambda: now_s, 3600, NAMES).lease) == known, now_s


def test_one_failure_or_another_network_forgets_all():
    failed = Remembered(_remember(), lambda: 1500, 3600, NAMES)
    failed.forget()
    moved = Remembered(_remember(), lambda: 1500, 3600, ("derb", "other.derb", 1883))
    for one in (failed, moved, Remembered(failed.dumps(), lambda: 1500, 3600, NAMES)):
        assert one.lease is None and one.broker is None and one.bssid is None and not one.session


def test_any_bytes_are_survived():
    for garbage in (b"", b"\xff" * SIZE, bytes(SIZE), bytes(range(SIZE)), b"x" * (SIZE + 1)):
        one = Remembered(garbage, lambda: 5, 3600, NAMES)
        assert one.lease is None and one.broker is None and one.bssid is None and not one.session


def test_what_is_no_address_is_not_remembered():
    one = Remembered(b"", lambda: 5, 3600, NAMES)
    for wrong in ("", "::1", "300.1.1.1", "a.b.c.d", "1.2.3"):
        one.broker = wrong
        assert one.broker is None
