"""Level from echoes: a distance where there is one, a reason where there is none."""

from derb.level import Level, distance_mm, sound_mm_s

EMPTY, FULL = 1500, 250


def _echo(mm, temp_c100=2000):
    return mm * 2 * 1000000 // sound_mm_s(temp_c100)


def test_speed_of_sound_follows_temperature():
    assert sound_mm_s(0) == 331300
    assert sound_mm_s(2000) == 343420
    assert sound_mm_s(-1000) == 325240
    assert sound_mm_s(1000000) == sound_mm_s(8500)


def test_a_distance_is_right_within_2_mm_at_any_temperature():
    for temp in (-1000, 0, 2000, 4550):
        for mm in (200, 251, 999, 1500, 4999):
            assert abs(distance_mm(_echo(mm, temp), temp) - mm) <= 2


def test_level_at_its_ends_and_between():
    level = Level(EMPTY, FULL)
    assert level.measure([_echo(1500)] * 5, 2000)[2] <= 2
    status, mm, x10 = level.measure([_echo(875)] * 5, 2000)
    assert status == "ok" and abs(mm - 875) <= 2 and abs(x10 - 500) <= 2
    assert level.measure([_echo(230)] * 5, 2000)[2] == 1000


def test_an_unplugged_sensor_is_not_an_empty_container():
    assert Level(EMPTY, FULL).measure([-1] * 9, 2000) == ("no_echo", None, None)


def test_no_distance_without_enough_good_echoes():
    level = Level(EMPTY, FULL)
    assert level.measure([-2] * 9, 2000) == ("too_far", None, None)
    assert level.measure([_echo(40)] * 9, 2000) == ("too_close", None, None)
    assert level.measure([_echo(800)] * 2 + [-1] * 7, 2000)[0] == "unstable"
    assert level.measure([], 2000) == ("no_echo", None, None)
    assert level.measure([_echo(300 + 150 * i) for i in range(9)], 2000)[0] == "unstable"


def test_below_the_floor_is_too_far():
    assert Level(EMPTY, FULL).measure([_echo(2500)] * 9, 2000) == ("too_far", None, None)


def test_walls_and_second_ways_do_not_move_the_surface():
    echoes = [_echo(1000)] * 5 + [_echo(300), _echo(420), _echo(2000), -2]
    status, mm, _ = Level(EMPTY, FULL).measure(echoes, 2000)
    assert status == "ok" and abs(mm - 1000) <= 2


def test_of_two_equal_surfaces_the_farther_counts():
    status, mm, _ = Level(EMPTY, FULL).measure([_echo(400)] * 4 + [_echo(1100)] * 4, 2000)
    assert status == "ok" and abs(mm - 1100) <= 2


def test_geometry_that_cannot_be_is_refused():
    for empty, full in ((250, 250), (100, 500), (1000, -1)):
        try:
            Level(empty, full)
        except ValueError:
            continue
        raise AssertionError((empty, full))
