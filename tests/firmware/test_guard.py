"""Fire and fall, each told once; a lid that is opened, a sun that rises and a crew that tips are neither."""

from derb.guard import SIZE, Guard


def _fires(readings, every_s=300):
    """Return the indices at which a fire is news; the guard sleeps between any two."""
    guard, news = Guard(), []
    for i, temp_c100 in enumerate(readings):
        if guard.fire(temp_c100, every_s):
            news.append(i)
        guard = Guard(guard.dumps())
    return news


def test_heat_is_fire_and_told_once():
    assert _fires([3000, 4000, 6600, 8000, 9000]) == [1]
    assert _fires([6000, 6400, 6500, 7000]) == [2]


def test_ten_kelvin_in_five_minutes_is_fire_and_in_half_an_hour_the_sun():
    assert _fires([2000, 3000]) == [1]
    assert _fires([2000, 2990, 3980]) == []
    assert _fires([2000, 3500, 5000], every_s=1800) == []


def test_a_second_fire_is_told_after_the_first_has_cooled():
    assert _fires([6600, 6700, 6000, 5400, 5300, 6600]) == [0, 5]


def test_no_thermometer_in_the_air_is_no_alarm():
    assert _fires([None, None, 2000, None, 3500]) == []
    guard = Guard()
    assert not guard.fire(2000, None)
    assert not guard.fire(3500, None), "nobody knows how long it took"


def _falls(looks, guard=None):
    """`looks`: (seconds, angle, sees inside); return the seconds at which a fall is news."""
    guard, news = guard or Guard(), []
    for now_s, angle, sees in looks:
        if guard.tilt(angle, now_s, sees):
            news.append(now_s)
        guard = Guard(guard.dumps())
    return news


def test_what_lies_for_two_minutes_has_fallen_and_is_told_once():
    assert _falls([(100, 90, True), (219, 90, True), (220, 90, True), (520, 91, True)]) == [220]


def test_a_fall_is_told_again_after_it_was_set_up():
    assert _falls([(0, 80, True), (200, 80, True), (300, 2, True), (400, 80, True), (600, 80, True)]) == [
        200,
        600,
    ]


def test_an_open_lid_is_no_fall_however_long():
    assert _falls([(t, 110, False) for t in range(0, 86400, 300)]) == []


def test_a_throw_of_refuse_and_an_emptying_are_no_falls():
    assert _falls([(0, 100, True), (60, 3, True), (300, 2, True)]) == []
    assert _falls([(0, 100, True), (60, None, True), (119, 130, True), (300, 2, True)]) == []


def test_a_slant_below_45_degrees_is_none():
    assert _falls([(t, 44, True) for t in range(0, 3600, 60)]) == []


def test_a_tilt_is_looked_at_again_in_time_and_no_lid_keeps_the_board_awake():
    guard = Guard()
    guard.tilt(90, 50, True)
    assert guard.look_in_s == 120
    guard = Guard(guard.dumps())
    guard.tilt(90, 160, True)
    assert guard.look_in_s == 10, "a wake before, for something else, takes nothing off that"
    guard = Guard(guard.dumps())
    guard.tilt(90, 170, False)
    assert guard.look_in_s is None and guard.tilted


def test_any_garbage_is_taken_or_a_fresh_start():
    for saved in (b"", b"x", bytes(SIZE - 1), b"\xff" * SIZE, None):
        guard = Guard(saved)
        guard.fire(2000, 300)
        guard.tilt(0, 5, True)
        assert not guard.tilted and len(guard.dumps()) == SIZE
