"""Detection: the promises that hold on any street."""

from derb.parking import FREE, OCCUPIED, Parking

EARTH = (29000, -300, 30000)
CAR = (9000, -4000, 12000)


def _add(a, b):
    return tuple(a[i] + b[i] for i in (0, 1, 2))


def _run(parking, fields, dt_ms=1000):
    changes = []
    for i, field in enumerate(fields):
        if parking.step(dt_ms, field[0], field[1], field[2], 2000):
            changes.append((i, parking.state))
    return changes


def _visit(stay=60):
    wobble = [_add(EARTH, (i * 1500, -i * 700, i * 2500)) for i in range(1, 6)]
    return [EARTH] * 60 + wobble + [_add(EARTH, CAR)] * stay + wobble[::-1] + [EARTH] * 60


def test_a_car_comes_and_goes():
    changes = _run(Parking(), _visit())
    assert [state for _, state in changes] == [OCCUPIED, FREE]
    assert 65 <= changes[0][0] <= 80 and 125 <= changes[1][0] <= 145


def test_heat_that_moves_the_field_by_more_than_a_car_is_not_a_car():
    day = (_add(EARTH, (i // 4, i // 3, -i // 2)) for i in range(40000))
    assert _run(Parking(), day) == []


def test_detection_goes_on_through_sleep_at_every_sample():
    whole = _run(Parking(), _visit())
    parking, changes = Parking(), []
    for i, field in enumerate(_visit()):
        if parking.step(1000, field[0], field[1], field[2], 2000):
            changes.append((i, parking.state))
        parking = Parking(parking.dumps())
    assert changes == whole


def test_what_is_remembered_is_small_and_garbage_is_a_clean_start():
    parking = Parking()
    _run(parking, _visit())
    record = parking.dumps()
    assert len(record) <= 256
    fresh = Parking().dumps()
    for i in range(len(record)):
        changed = bytearray(record)
        changed[i] ^= 16
        assert Parking(bytes(changed)).dumps() == fresh
        assert Parking(record[:i]).dumps() == fresh
    assert Parking(bytes(300)).dumps() == fresh


def test_no_number_is_too_large():
    parking = Parking()
    for dt_ms in (1, 1000, 86400000, 1 << 40):
        for field in ((1600000, -1600000, 1600000), (-1600000, 1600000, -1600000), (0, 0, 0)):
            parking.step(dt_ms, field[0], field[1], field[2], 2000)
    assert 0 <= parking.confidence <= 100


def _street_field(second):
    # A car drives in or out in 10 seconds every 200; its ends and wheels pass over the sensor meanwhile.
    moving = min(second % 200, 10) if second >= 200 else 10
    share = moving if second // 200 % 2 else 10 - moving
    passing = min(moving, 10 - moving)
    wobble = (second * 7919) % 401 - 200
    peaks = (-4000, 5000, 3000)
    return tuple(EARTH[i] + CAR[i] * share // 10 + peaks[i] * passing + wobble for i in (0, 1, 2))


def test_a_node_that_sleeps_sees_the_same_cars_as_one_that_watches():
    # As the node does it: two samples a wake, more at 1 Hz while it is busy (90 s at most), then sleep with all forgotten but
    # `dumps()`, until 100 s are over or an axis has left 3 uT around the last sample.
    parking, second, last, changes, awake = Parking(), 0, None, [], 0
    while second < 1400:
        began, count = second, 0
        while True:
            field = _street_field(second)
            count += 1
            changed = parking.step(1000 if last is None else (second - last) * 1000, *field, 2000)
            last = second
            if changed:
                changes.append((second // 200, parking.state))
            if (count >= 2 and not parking.busy) or second - began > 90:
                break
            second += 1
        awake += count
        parking = Parking(parking.dumps())
        until = second + 100
        second += 1
        while second < until and max(abs(a - b) for a, b in zip(_street_field(second), field)) < 3000:
            second += 1
    assert changes == [(i, OCCUPIED if i % 2 else FREE) for i in range(1, 7)], changes
    assert awake < 250, awake
