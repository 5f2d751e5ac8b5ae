"""Detection: the promises that hold on any street."""

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # CPython: nothing to lock

    def heap_lock():
        pass

    heap_unlock = heap_lock

from derb.parking import FREE, OCCUPIED, UNKNOWN, Parking

HEAP_KB = 4096

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


def test_a_loss_of_power_is_remembered_in_the_middle_of_what_it_hid():
    parking = Parking()
    for _ in range(60):
        parking.step(1000, EARTH[0], EARTH[1], EARTH[2], 2000)
    parking = Parking(parking.dumps(), lost_power=True)
    parking.step(1 << 22, 300000, -300000, 300000, 2000)
    again = Parking(parking.dumps())
    assert again.dumps() == parking.dumps()
    assert again.busy and again.state == parking.state


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


def _drive(still, over, after, seconds=8):
    """A vehicle's field from `still` to `after` by way of `over`, each axis with its own timing."""
    fields = []
    for k in range(1, seconds):
        hump = min(k, seconds - k)
        fields.append(
            tuple(
                still[i] + (after[i] - still[i]) * k // seconds + over[i] * (hump if (k + i) % 3 else 0) // 4
                for i in (0, 1, 2)
            )
        )
    return fields + [after]


def _noisy(fields, size=150, seed=1):
    noisy = []
    for field in fields:
        axes = []
        for value in field:
            seed = (seed * 1103 + 12345) % 65521
            axes.append(value + seed % (2 * size + 1) - size)
        noisy.append(tuple(axes))
    return noisy


def _states(fields, parking=None):
    parking = parking or Parking()
    return [state for _, state in _run(parking, _noisy(fields))], parking


OVER = (14000, -9000, 11000)
WEAK = (1500, 900, -1600)


def test_a_car_whose_standing_field_is_weaker_than_a_neighbours_is_seen_by_its_passage():
    stand = _add(EARTH, WEAK)
    fields = (
        [EARTH] * 90 + _drive(EARTH, OVER, stand) + [stand] * 90 + _drive(stand, OVER, EARTH) + [EARTH] * 60
    )
    states, _ = _states(fields)
    assert states == [OCCUPIED, FREE], states


def test_a_car_that_drives_over_an_empty_bay_leaves_it_free():
    states, _ = _states([EARTH] * 60 + _drive(EARTH, OVER, EARTH, 6) + [EARTH] * 60)
    assert states in ([], [OCCUPIED, FREE]), states
    states, parking = _states([EARTH] * 60 + _drive(EARTH, OVER, EARTH, 6) + [EARTH] * 60)
    assert parking.state == FREE


def test_a_neighbour_comes_and_goes_beside_an_empty_and_a_taken_bay():
    beside = (1200, -900, 1500)
    near = _add(EARTH, beside)
    both = _add(near, CAR)
    car = _add(EARTH, CAR)
    fields = [EARTH] * 60 + [near] * 60 + [EARTH] * 60 + _drive(EARTH, OVER, car) + [car] * 60 + [both] * 60
    states, parking = _states(fields)
    assert states == [OCCUPIED], states
    states, _ = _states(_drive(both, OVER, near) + [near] * 60 + [EARTH] * 60, parking)
    assert states == [FREE], states


def test_a_lorry_that_stands_beside_a_parked_car_frees_nothing():
    car = _add(EARTH, CAR)
    lorry = _add(car, (3500, 2500, -2800))
    fields = [EARTH] * 60 + _drive(EARTH, OVER, car) + [car] * 60 + [lorry] * 40 + [car] * 60
    states, _ = _states(fields)
    assert states == [OCCUPIED], states


def test_cars_that_stop_in_the_queue_beside_a_parked_car_free_nothing():
    parked = _add(EARTH, CAR)
    fields = [EARTH] * 90
    for offset in ((-11000, 6000, 4000), (3000, 13000, -8000)):
        there = _add(EARTH, offset)
        fields += _drive(EARTH, OVER, there) + [there] * 400 + _drive(there, OVER, EARTH) + [EARTH] * 400
    fields += _drive(EARTH, OVER, parked) + [parked] * 900
    for beside in ((-3200, 1600, -2400), (2500, 2900, 1500), (-2900, -2000, 1900)):
        stopped = _add(parked, beside)
        over = tuple(value // 5 for value in OVER)
        fields += _drive(parked, over, stopped) + [stopped] * 40 + _drive(stopped, over, parked)
        fields += [parked] * 300
    states, _ = _states(fields)
    assert states == [OCCUPIED, FREE, OCCUPIED, FREE, OCCUPIED]


def test_a_magnet_moved_along_a_line_is_no_car_where_cars_were_seen():
    fields = [EARTH] * 90
    for offset in (CAR, (-11000, 6000, 4000)):
        there = _add(EARTH, offset)
        fields += _drive(EARTH, OVER, there) + [there] * 400 + _drive(there, OVER, EARTH) + [EARTH] * 400
    magnet = (7000, -9000, 4000)
    fields += [_add(EARTH, tuple(value * k // 4 for value in magnet)) for k in range(1, 4)]
    fields += [_add(EARTH, magnet)] * 400
    states = [state for _, state in _run(Parking(), _noisy(fields, 30))]
    assert states == [OCCUPIED, FREE, OCCUPIED, FREE], states


def test_the_noisiest_chip_sees_no_car_while_it_learns_its_noise():
    parking = Parking()
    assert [state for _, state in _run(parking, _noisy([EARTH] * 900, 2000))] == []
    assert parking.state == FREE


def test_a_car_follows_another_within_seconds():
    first, second = _add(EARTH, CAR), _add(EARTH, (-12000, 7000, 3000))
    fields = [EARTH] * 60 + _drive(EARTH, OVER, first) + [first] * 60
    fields += _drive(first, OVER, second, 14) + [second] * 60 + _drive(second, OVER, EARTH) + [EARTH] * 60
    states, _ = _states(fields)
    assert states == [OCCUPIED, FREE], states


def test_a_node_installed_under_a_car_heals_when_the_empty_field_comes_back():
    cars = [_add(EARTH, offset) for offset in (CAR, (-11000, 6000, 4000), (3000, 13000, -8000))]
    fields = [cars[0]] * 90
    for car in cars[1:]:
        fields += _drive(fields[-1], OVER, EARTH) + [EARTH] * 90 + _drive(EARTH, OVER, car) + [car] * 90
    fields += _drive(fields[-1], OVER, EARTH) + [EARTH] * 60
    _, parking = _states(fields)
    assert parking.state == FREE
    _, parking = _states(_drive(EARTH, OVER, cars[0]) + [cars[0]] * 60, parking)
    assert parking.state == OCCUPIED


def test_a_step_between_two_samples_is_no_car_where_cars_bend_the_field():
    moved = _add(EARTH, (8000, 5000, -4000))
    came = _drive(EARTH, OVER, _add(EARTH, CAR)) + [_add(EARTH, CAR)] * 120
    left = _drive(_add(EARTH, CAR), OVER, EARTH) + [EARTH] * 120
    states, parking = _states([EARTH] * 120 + came + left)
    assert states == [OCCUPIED, FREE]
    states, parking = _states([moved] * 120, parking)
    assert states == []
    states, _ = _states(_drive(moved, OVER, _add(moved, CAR)) + [_add(moved, CAR)] * 60, parking)
    assert states == [OCCUPIED]


def test_a_step_before_any_car_was_seen_is_told_with_less_confidence_than_a_first_car_that_rolls_in():
    moved = _add(EARTH, (8000, 5000, -4000))
    states, parking = _states([EARTH] * 120 + [moved] * 600)
    _, rolled = _states([EARTH] * 120 + _drive(EARTH, OVER, moved) + [moved] * 600)
    assert states == [OCCUPIED] and parking.confidence <= 92 < rolled.confidence, parking.confidence


def test_where_cars_come_in_steps_steps_are_cars():
    moved = _add(EARTH, (8000, 5000, -4000))
    states, parking = _states([EARTH] * 120 + [moved] * 300 + [EARTH] * 300)
    assert states == [OCCUPIED, FREE]
    assert _states([moved] * 3600, parking)[0] == [OCCUPIED]


def _same_car_again_and_again(car, seconds, visits=12):
    way = [tuple(part * i // seconds for part in car) for i in range(1, seconds)]
    come = [_add(EARTH, part) for part in way] + [_add(EARTH, car)] * 300
    go = [_add(EARTH, part) for part in way[::-1]] + [EARTH] * 300
    fields = [EARTH] * 300
    for _ in range(visits):
        fields += come + go
    # A living chip is never still.
    return [
        (x + i * 7919 % 301 - 150, y + i * 104729 % 307 - 150, z + i * 1299709 % 293 - 150)
        for i, (x, y, z) in enumerate(fields)
    ]


def test_one_car_that_comes_back_alike_each_time_is_no_neighbour():
    for car in (CAR, (3900, -2800, 3500), (30000, 10000, -20000)):
        for seconds in (1, 5, 12):
            states = [state for _, state in _run(Parking(), _same_car_again_and_again(car, seconds))]
            assert states == [OCCUPIED, FREE] * 12, (car, seconds, states)


def test_currents_that_keep_to_one_line_are_learnt_and_left_out():
    def tram(k):
        return _add(EARTH, (500 * k, 300 * k, -600 * k))

    passing = [tram(k) for k in (2, 5, 8, 11, 12, 12, 12, 12, 12, 12, 9, 6, 3, 0)]
    _, parking = _states(([EARTH] * 60 + passing) * 6 + [EARTH] * 60)
    states, parking = _states(([EARTH] * 60 + passing) * 12 + [EARTH] * 60, parking)
    assert states == [], states
    assert not parking.busy
    _run(parking, _noisy(passing[:7]))
    assert not parking.busy


def test_a_chip_that_repeats_itself_is_unknown_until_it_lives_again():
    parking = Parking()
    _run(parking, _noisy([EARTH] * 60))
    changes = _run(parking, [EARTH] * 900)
    assert [state for _, state in changes] == [UNKNOWN] and parking.confidence == 0
    changes = _run(parking, _noisy([EARTH] * 10))
    assert [state for _, state in changes] == [FREE]


def test_a_saturated_chip_is_unknown_within_minutes_and_no_car():
    parking = Parking()
    _run(parking, _noisy([EARTH] * 60))
    changes = _run(parking, [(400000, EARTH[1], EARTH[2])] * 120)
    assert [state for _, state in changes] == [UNKNOWN]
    assert [state for _, state in _run(parking, _noisy([EARTH] * 10))] == [FREE]


def test_a_car_that_came_in_a_gap_is_seen_after_it():
    for gap_ms in (300000, 3600000, 1 << 33):
        parking = Parking()
        _run(parking, _noisy([EARTH] * 60))
        parking.step(gap_ms, EARTH[0] + CAR[0], EARTH[1] + CAR[1], EARTH[2] + CAR[2], 2000)
        _run(parking, _noisy([_add(EARTH, CAR)] * 20))
        assert parking.state == OCCUPIED, gap_ms


def test_the_radio_finds_the_car_that_the_field_hardly_showed():
    parking = Parking()
    stand = _add(EARTH, (900, -500, 700))
    for field, dbm in ((EARTH, -70), (stand, -83)):
        for i, noisy in enumerate(_noisy([field] * 1800)):
            parking.step(1000, noisy[0], noisy[1], noisy[2], 2000, dbm + (i // 60 * 7) % 5 - 2)
    assert parking.state == OCCUPIED


def test_the_radio_finds_the_car_that_the_field_did_not_show_at_all_though_the_bay_was_surely_left():
    parking = Parking()
    fields = [EARTH] * 400 + _drive(EARTH, OVER, _add(EARTH, CAR), 7)
    fields += [_add(EARTH, CAR)] * 400 + _drive(_add(EARTH, CAR), OVER, EARTH, 8) + [EARTH] * 400
    for i, noisy in enumerate(_noisy(fields)):
        there = 400 < i < len(fields) - 405
        parking.step(1000, noisy[0], noisy[1], noisy[2], 2000, (-83 if there else -70) + i // 5 % 5 - 2)
    assert parking.state == FREE and parking.confidence == 99
    for i, noisy in enumerate(_noisy([EARTH] * 300)):
        parking.step(1000, noisy[0], noisy[1], noisy[2], 2000, -83 + i // 5 % 5 - 2)
    assert parking.state == OCCUPIED
    for i, noisy in enumerate(_noisy([EARTH] * 300)):
        parking.step(1000, noisy[0], noisy[1], noisy[2], 2000, -70 + i // 5 % 5 - 2)
    assert parking.state == FREE


def test_what_swings_wide_and_leaves_next_to_nothing_behind_did_not_park():
    here = EARTH
    fields = [here] * 90
    for k in range(12):
        there = _add(EARTH, (90 * (k % 5) - 180, 60 * (k % 4) - 90, 40 * (k % 3)))
        fields += _drive(here, _add(EARTH, (14000 - 3000 * (k % 6), -20000, 9000 * (k % 3))), there, 9)
        fields += [there] * 60
        here = there
    parking = Parking()
    assert _run(parking, _noisy(fields, 400)) == []
    assert parking.state == FREE


def test_quiet_samples_allocate_nothing():
    parking = Parking()
    fields = _noisy([EARTH] * 60)
    _run(parking, fields)
    heap_lock()
    try:
        for i in range(50):
            field = fields[i]
            parking.step(1000, field[0], field[1], field[2], 2000)
    finally:
        heap_unlock()
    assert parking.state == FREE and not parking.busy


def test_samples_that_move_allocate_nothing_either():
    # What has come to rest is weighed, once in minutes, and that may allocate.
    parking = Parking()
    fields = [((i * 7919) % 700001 - 350000, (i * 104729) % 700001 - 350000, 389999) for i in range(200)]
    _run(parking, _noisy([EARTH] * 60))
    heap_lock()
    try:
        for i in range(len(fields)):
            field = fields[i]
            parking.step(900 + i * 331 % 200, field[0], field[1], field[2], 2000, -60 - i % 40)
    finally:
        heap_unlock()
    assert parking.busy


def test_an_hour_gives_the_same_record_on_every_interpreter():
    fields, here = [], EARTH
    for k, offset in enumerate(
        (CAR, None, WEAK, None, (-30000, 21000, 52000), None, (2500, -1500, 900), None)
    ):
        there = _add(EARTH, offset) if offset else EARTH
        fields += [_add(here, (i // 9, -i // 7, i // 5)) for i in range(430 - 20 * k)] + _drive(
            here, OVER, there, 7 + k
        )
        here = there
    parking = Parking()
    digest = 0
    for i, still in enumerate(fields):
        field = _noisy([still], 150, i + 1)[0]
        parking.step(700 + i * 37 % 900, field[0], field[1], field[2], 2000, -70 - i // 50 % 9)
        digest = (digest * 31 + parking.state * 7 + parking.confidence + parking.busy) % 1000003
    assert (sum(parking.dumps()[:-4]), digest) == (14868, 278810), (sum(parking.dumps()[:-4]), digest)
