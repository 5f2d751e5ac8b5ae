"""Collections and full containers, told once each."""

from derb.fill_events import SAVED_SIZE, FillEvents


def _told(levels, saved_between=False):
    """Return (indices of collections, indices of "full"); an item is a level, a status, or None for no echo."""
    events = FillEvents()
    collected, full = [], []
    for i, item in enumerate(levels):
        if saved_between:
            events = FillEvents(events.dumps())
        if isinstance(item, int):
            events.step("ok", item)
        else:
            events.step(item or "no_echo", None)
        if events.collected:
            collected.append(i)
        if events.full:
            full.append(i)
    return collected, full


def test_an_emptying_is_told_once_when_a_second_reading_agrees():
    assert _told([500, 520, 510, 30, 35, 40, 60]) == ([4], [])
    assert _told([500, 520, 510, 365, 390, 400]) == ([4], []), "refuse was thrown in again"


def test_half_of_the_height_is_no_slide_and_told_at_once():
    assert _told([600, 620, 640, 30, 35, 40, 60]) == ([3], [])


def test_a_partial_emptying_is_told():
    assert _told([700, 700, 710, 450, 460, 470]) == ([4], [])


def test_a_second_burst_of_pings_is_agreement_enough_for_a_clear_fall():
    events = FillEvents()
    events.step("ok", 700)
    events.step("ok", 150, True)
    assert events.collected and events.fell_x10 == 550


def test_settling_by_5_points_an_hour_is_no_emptying():
    assert _told(list(range(900, 100, -50))) == ([], [])
    assert _told(list(range(900, 100, -25))) == ([], [])


def test_one_reading_that_fell_and_came_back_is_no_emptying():
    assert _told([600, 610, 130, 610, 620]) == ([], [])


def test_one_high_reading_that_came_back_is_no_emptying():
    assert _told([400, 410, 800, 415, 420, 430]) == ([], [])


def test_an_emptying_behind_a_broken_sensor_is_told_when_it_speaks_again():
    assert _told([500, 510, None, 40, 45]) == ([4], [])
    assert _told([500, 510, None, None, "unstable", 40, 45]) == ([5], []), "nobody looked for two hours"


def test_full_needs_two_readings_and_is_told_once():
    assert _told([900, 940, 960, 940, 960, 990, 1000, 940, 960]) == ([], [4])


def test_full_is_told_again_only_after_it_was_not():
    assert _told([960, 970, 860, 960, 970, 840, 960, 970]) == ([], [1, 7])
    assert _told([960, 970, 50, 60, 960, 970]) == ([2], [1, 5])


def test_too_close_is_full_only_where_the_refuse_was_high():
    assert _told([800, 850, "too_close", "too_close", "too_close"]) == ([], [3])
    assert _told([300, 310, "too_close", "too_close", "too_close", 320]) == ([], [])
    assert _told(["too_close"] * 5) == ([], [])


def test_silence_is_neither_full_nor_emptied():
    assert _told([900, 910, None, None, None, 920]) == ([], [])


def test_an_overfull_container_that_is_emptied_is_told():
    assert _told([900, 930, "too_close", 30, 35]) == ([3], [])
    assert _told([900, 930, "too_close", "too_close", 30, 35]) == ([4], [3])


def test_memory_survives_sleep_between_any_two_readings():
    for levels in (
        [600, 620, 640, 30, 35, 40, 60],
        [960, 970, 860, 960, 970, 840, 960, 970],
        [900, 930, "too_close", "too_close", 30, 35],
    ):
        assert _told(levels, True) == _told(levels)


def test_damaged_memory_is_a_fresh_start():
    events = FillEvents()
    for level in (960, 970, 980):
        events.step("ok", level)
    saved = events.dumps()
    assert len(saved) == SAVED_SIZE
    fresh = FillEvents().dumps()
    for i in range(len(saved)):
        assert FillEvents(saved[:i] + bytes((saved[i] ^ 8,)) + saved[i + 1 :]).dumps() == fresh
        assert FillEvents(saved[:i]).dumps() == fresh
    assert FillEvents(saved).dumps() == saved


def test_with_hours_between_readings_one_is_enough_and_refuse_may_settle():
    def told(levels, every_s):
        events = FillEvents()
        found = []
        for i, level in enumerate(levels):
            events.step("ok", level, elapsed_s=every_s)
            if events.collected:
                found.append(i)
        return found

    assert told([600, 100, 420, 640], 14400) == [1]
    assert told([500, 100, 520, 540], 900) == []
    assert told([600, 450, 455], 14400) == [], "settled in four hours"
    assert told([600, 430, 440], 900) == [2]
    assert told([300, 500, 700, 450], 14400) == [3], "the reading before last is of no account"


def test_a_bag_on_a_rather_full_container_is_no_emptying_when_it_is_taken_off():
    assert _told([740, 750, 755] + ["too_close"] * 20 + [752, 755]) == ([], [4])
