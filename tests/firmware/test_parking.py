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
