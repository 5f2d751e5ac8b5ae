"""Walls and hinges are learnt by coming back at one place."""

from derb.fixed_echoes import FixedEchoes


def test_a_place_is_believed_after_three_sights():
    fixed = FixedEchoes()
    for sights in range(3):
        assert not fixed.has(400), sights
        fixed.learn([400 + sights * 5])
    assert fixed.has(400) and fixed.has(425)
    assert not fixed.has(450)


def test_two_places_are_kept_apart():
    fixed = FixedEchoes()
    for _ in range(3):
        fixed.learn([250, 400])
    assert fixed.has(250) and fixed.has(400)
    assert not fixed.has(320)


def test_a_place_that_falls_silent_is_forgotten():
    fixed = FixedEchoes()
    for _ in range(50):
        fixed.learn([400])
    for _ in range(40):
        fixed.learn([])
    assert not fixed.has(400)
    assert fixed.slots[1] == 0


def test_slots_are_all_its_memory():
    fixed = FixedEchoes()
    for _ in range(3):
        fixed.learn([400])
    assert FixedEchoes(fixed.slots).has(400)


def test_many_echoes_of_one_reading_are_one_sight():
    fixed = FixedEchoes()
    for sights in range(3):
        assert not fixed.has(400), sights
        fixed.learn([398, 400, 404, 405, 405])
    assert fixed.has(400)
    fixed.learn([])
    assert not fixed.has(400)
