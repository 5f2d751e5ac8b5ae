"""The node's own figures: kept over sleep, counted by cause, and told at once when a person waits for them."""

from derb import frame, health
from derb.vitals import SIZE, Vitals, news


def test_what_is_kept_comes_back_and_no_count_overflows():
    vitals = Vitals()
    vitals.resets_watchdog = 300
    vitals.sense_ms = 90000
    vitals.connections_failed = 7
    vitals.loaded(3300)
    saved = vitals.dumps()
    assert len(saved) == SIZE
    again = Vitals(saved)
    assert (again.resets_watchdog, again.sense_ms, again.connections_failed) == (255, 65535, 7)
    assert again.load_mv == 3300


def test_garbage_is_a_new_beginning():
    for saved in (None, b"", b"\xff" * (SIZE - 1), b"\x01" * (SIZE + 1)):
        assert Vitals(saved).dumps() == bytes(SIZE)


def test_resets_are_counted_by_their_cause():
    vitals = Vitals()
    for cause in (1, 2, 3, 3, 4, 5, 77):
        vitals.woke(cause)
    assert (vitals.resets_watchdog, vitals.resets_hard, vitals.resets_soft) == (2, 1, 1)


def test_the_lowest_is_kept():
    vitals = Vitals()
    for free, battery_mv in ((9000, 3500), (7000, None), (8000, 3300), (7500, 3400)):
        vitals.heap(free)
        vitals.loaded(battery_mv)
    assert (vitals.heap_low, vitals.load_mv) == (7000, 3300)


def test_fields_are_in_rising_order_and_unknown_ones_left_out():
    packed = health.payload([(14, 0), (1, 3600), (9, None)] + health.of_vitals(Vitals()))
    numbers = []
    at = 0
    while at < len(packed):
        number, at = frame.get_varint(packed, at)
        _, at = frame.get_varint(packed, at)
        numbers.append(number)
    assert numbers == sorted(numbers) and 9 not in numbers and 15 not in numbers and 24 in numbers


def test_a_change_that_a_person_waits_for_is_news():
    quiet = news([(11, 100), (12, 0), (14, 0)])
    assert quiet == news([(14, 0), (12, 0), (11, 100)])
    for number, value in ((11, 101), (12, 1), (14, 3), (25, 1), (26, 1), (28, 2)):
        fields = {11: 100, 12: 0, 14: 0}
        fields[number] = value
        assert news(list(fields.items())) != quiet
