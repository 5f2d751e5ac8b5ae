"""Speed of sound, distances, and which echoes are of one surface."""

from derb.echoes import distance_mm, groups, sound_mm_s, twice

# 331.3 sqrt(1 + T / 273.15) m/s, reckoned in floating point.
SOUND = ((-4000, 306082), (-2000, 318941), (0, 331300), (2000, 343214), (5000, 360347))


def _echo(mm, temp_c100):
    return mm * 2 * 1000000 // sound_mm_s(temp_c100)


def test_the_speed_of_sound_is_that_of_an_ideal_gas():
    for temp, speed in SOUND:
        assert abs(sound_mm_s(temp) - speed) <= speed // 2000, (temp, sound_mm_s(temp))


def test_the_speed_of_sound_is_limited_to_air_on_earth():
    assert sound_mm_s(1000000) == sound_mm_s(8000)
    assert sound_mm_s(-30000) == sound_mm_s(-4000)


def test_a_distance_is_right_within_2_mm_at_any_temperature():
    for temp in (-1000, 0, 2000, 4550):
        for mm in (20, 200, 251, 999, 1500, 4999):
            assert abs(distance_mm(_echo(mm, temp), temp) - mm) <= 2


def test_echoes_of_one_surface_are_one_group():
    assert groups([990, 1000, 1004, 1010, 1050]) == [(1002, 5)]
    assert groups([300, 305, 309, 1000, 1003, 1003, 1004]) == [(302, 3), (1003, 4)]


def test_what_lies_far_out_in_a_group_does_not_move_it():
    assert groups([998, 1000, 1000, 1002, 1002, 1004, 1060, 1130]) == [(1000, 6)]


def test_rough_refuse_is_one_surface_if_most_echoes_are_of_it():
    assert groups([900, 935, 970, 990, 1015, 1040, 1060]) == [(965, 7)]
    assert groups([300, 302, 304, 306, 308, 310, 900, 970, 1010, 1080]) == [(304, 6)]


def test_facets_and_detours_answer_later_and_hardly_move_the_surface():
    assert groups([1328, 1330, 1344, 1346, 1355, 1361, 1417, 1441, 1502, 1525]) == [(1340, 6)]
    assert groups([500, 502, 504, 505, 540, 545, 548, 552]) == [(516, 8)], "of two facets alike between them"


def test_two_echoes_or_a_scatter_are_none():
    assert groups([]) == []
    assert groups([500, 501]) == []
    assert groups([300 + 150 * i for i in range(9)]) == []
    assert groups([300 + 90 * i for i in range(9)]) == []


def test_a_way_gone_twice_is_known():
    assert twice(800, 400) and twice(1005, 500)
    assert not twice(700, 400)
