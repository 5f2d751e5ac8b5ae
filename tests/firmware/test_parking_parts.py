"""The parts of the detector: densities, what a place learns, remembered steps, the radio."""

from derb import place
from derb.evidence import ln_match, ln_own, ln_spread
from derb.field_math import isqrt, ln64
from derb.habits import SIZE, Habits
from derb.radio import Radio
from derb.steps import Steps
from derb.suppositions import SIZE as SUPPOSITIONS_SIZE
from derb.suppositions import Suppositions
from derb.unrest import Unrest


def test_logarithms_are_right_to_a_tenth():
    # 64 ln of powers of ten.
    for n, known in ((1, 0), (10, 147), (1000, 442), (100000, 737), (1000000, 884)):
        assert abs(ln64(n) - known) <= 6, (n, ln64(n))
    assert ln64(0) == ln64(-5) == 0


def test_square_roots_are_whole_and_not_too_large():
    for n in (0, 1, 2, 3, 4, 15, 16, 17, 99999, 1 << 20, (1 << 29) + 1):
        root = isqrt(n)
        assert root * root <= n < (root + 1) * (root + 1), n
    assert isqrt(-3) == 0


def test_a_strong_step_is_likelier_a_vehicle_and_a_weak_one_a_neighbour():
    assert ln_own(13000, 25000, True) > ln_spread(13000, 2600)
    assert ln_own(800, 900, True) < ln_spread(800, 600)
    assert ln_own(5000, 20000, True) > ln_own(5000, 5000, True)
    assert ln_own(5000, 5000, False) > ln_own(5000, 5000, True)


def test_a_match_is_likelier_the_nearer_it_is():
    likely = [ln_match(far, 400) for far in (0, 400, 1000, 3000, 9000, 50000)]
    assert likely == sorted(likely, reverse=True)


def test_a_direction_that_swings_often_counts_for_little_and_the_others_in_full():
    unrest = Unrest()
    for k in range(60):
        unrest.learn(0, 6000 if k % 2 else -5000, 0, 60)
    assert unrest.size(0, 6000, 0) < 1500
    assert unrest.size(6000, 0, 0) > 5500
    record = bytearray(24)
    unrest.pack_into(record, 0)
    again = Unrest()
    again.unpack_from(record, 0)
    assert again.size(4000, 3000, 2000) == unrest.size(4000, 3000, 2000)


def test_one_rare_step_hardly_changes_what_a_place_is_like():
    unrest = Unrest()
    unrest.learn(40000, 0, 0, 0)
    assert unrest.size(10000, 0, 0) > 3500


def test_a_step_is_known_when_it_undoes_or_repeats_what_something_else_did():
    steps = Steps()
    bit = steps.next_bit
    steps.keep((3000, -2000, 500))
    for step in ((-3000, 2000, -500), (3000, -2000, 500)):
        steps.look_at(step, 200, 0)
        assert steps.ln_known(bit) > ln_spread(3600, 2600)
        assert steps.ln_known(0) < -10000  # a vehicle of this bay made it: nothing else undoes it
    steps.look_at((0, 9000, 0), 200, 0)
    assert steps.ln_known(bit) < ln_spread(9000, 8000) - 416


def test_a_step_of_this_bays_own_may_come_again_but_not_one_of_somebody_else():
    steps = Steps()
    bit = steps.next_bit
    steps.keep((3000, -2000, 500))
    for step in ((-3000, 2000, -500), (3000, -2000, 500)):
        steps.look_at(step, 200, 0)
        assert steps.ln_alike(0) > ln_spread(3600, 2600)
        assert steps.ln_alike(bit) < -10000
    steps.look_at((0, 9000, 0), 200, 0)
    assert steps.ln_alike(0) < ln_spread(9000, 8000)


def test_what_came_in_two_parts_goes_in_one():
    steps = Steps()
    first = steps.next_bit
    steps.keep((2000, 0, 0))
    second = steps.next_bit
    steps.keep((0, 2500, 0))
    steps.look_at((-2000, -2500, 0), 200, 0)
    assert steps.ln_known(first | second) > ln_spread(3200, 2600)
    assert steps.ln_known(first) < ln_spread(3200, 2600)


def test_the_radio_speaks_for_a_car_only_once_it_knows_the_empty_bay():
    radio = Radio()
    for k in range(30):
        radio.hear(-70 + k % 5 - 2, 0)
    assert radio.evidence == 0
    for k in range(30):
        radio.hear(-70 + k % 5 - 2, -200)
    radio.begin()
    for k in range(6):
        radio.hear(-83 + k % 5 - 2, -20)
    assert radio.evidence > 200
    radio.begin()
    for k in range(6):
        radio.hear(-70 + k % 5 - 2, 20)
    assert -200 < radio.evidence < 0


def test_a_radio_that_heard_one_level_alone_says_little_against_a_car():
    radio = Radio()
    for k in range(60):
        radio.hear(-84 + k % 5 - 2, -200)
    radio.begin()
    for k in range(8):
        radio.hear(-84 + k % 5 - 2, 60)
    assert -64 < radio.evidence < 0
    kept = bytearray(8)
    for level in (-71, -84):
        radio.begin()
        for k in range(8):
            radio.hear(level + k % 5 - 2, 60)
    radio.begin()
    for k in range(8):
        radio.hear(-71 + k % 5 - 2, 60)
    radio.pack_into(kept, 0)
    again = Radio()
    again.unpack_from(kept, 0)
    assert again.evidence == radio.evidence < -100


def test_the_radio_says_nothing_of_a_motorcycle():
    radio = Radio()
    for k in range(40):
        radio.hear(-70 + k % 5 - 2, -200)
    radio.begin()
    for k in range(8):
        radio.hear(-74 + k % 3 - 1, 20)
    assert radio.evidence == 0


def test_a_radio_that_learnt_its_level_under_a_car_hears_the_car_leave():
    radio = Radio()
    for k in range(30):
        radio.hear(-84 + k % 5 - 2, -200)
    radio.begin()
    for k in range(6):
        radio.hear(-71 + k % 5 - 2, 20)
    assert radio.evidence < -200
    for k in range(30):
        radio.hear(-71 + k % 5 - 2, -200)
    radio.begin()
    for k in range(6):
        radio.hear(-84 + k % 5 - 2, -20)
    assert radio.evidence > 200


def test_a_radio_that_grows_faint_while_the_bay_is_said_to_be_free_speaks_up_and_does_not_get_used_to_it():
    radio = Radio()
    for k in range(200):
        radio.hear(-68 + k % 5 - 2, -500)
    assert radio.evidence < 0
    for k in range(40):
        radio.hear(-79 + k % 5 - 2, -500)
    assert radio.evidence > 300
    for k in range(2000):
        radio.hear(-79 + k % 5 - 2, -500)
    assert radio.evidence > 300
    for k in range(40):
        radio.hear(-68 + k % 5 - 2, -500)
    assert radio.evidence < 0


def test_three_loud_uplinks_do_not_unsettle_a_radio_that_knows_both_levels_and_more_are_not_believed_for_ever():
    radio = Radio()
    for level, lean in ((-70, -500), (-83, 500), (-70, -500)):
        radio.begin()
        for k in range(80):
            radio.hear(level + k % 5 - 2, lean)
    radio.begin()
    for dbm in (-70, -61, -60, -61):
        radio.hear(dbm, -100)
    assert not radio.left
    for k in range(8):
        radio.hear(-60 - k % 2, -100)
    assert radio.left
    radio.begin()
    for k in range(40):
        radio.hear(-64 + k % 5 - 2, -500)
    radio.begin()
    for k in range(8):
        radio.hear(-64 + k % 5 - 2, 20)
    assert radio.evidence < -100
    radio.begin()
    for k in range(8):
        radio.hear(-69 + k % 5 - 2, 20)
    assert radio.evidence < 100


def test_an_empty_bays_level_that_wanders_slowly_is_followed():
    radio = Radio()
    for k in range(6000):
        radio.hear(-60 - k // 400 + k % 5 - 2, -500)  # 15 dB in all, a tenth of a dB in 40 uplinks
        assert radio.evidence <= 0, k
    radio.begin()
    for k in range(8):
        radio.hear(-86 + k % 5 - 2, -20)
    assert radio.evidence > 200


def test_where_only_small_steps_were_seen_a_far_one_is_unusual_and_the_other_way_round():
    habits = Habits()
    assert habits.share(500) == habits.share(9000) == 0
    for _ in range(40):
        habits.learn(700, 900, True)
    assert habits.share(9000) < -64 < habits.share(500) < 64
    habits = Habits()
    for _ in range(10):
        habits.learn(9000, 9000, True)
    assert habits.share(500) < -30 and 200 < habits.share(9000) <= 256


def test_where_vehicles_stand_weakly_weak_ones_are_expected():
    habits = Habits()
    usual = ln_own(3000, 3000, True)
    assert ln_own(3000, 3000, True, habits.step, habits.peak) == usual
    for _ in range(200):
        habits.learn(3000, 3000, False)
        habits.learn(600, 600, False)  # too little to tell one vehicle from another
    assert ln_own(3000, 3000, True, habits.step, habits.peak) > usual + 50


def test_habits_are_remembered_at_their_extremes():
    habits = Habits()
    for _ in range(1000):
        habits.learn(1 << 20, 1 << 20, True)
        habits.learn(1 << 20, 1, False)
    record = bytearray(2 + SIZE)
    habits.pack_into(record, 2)
    again = Habits()
    again.unpack_from(record, 2)
    assert (again.step, again.peak) == (habits.step, habits.peak)
    for step in (0, 2000, 3000, 9000):
        assert again.share(step) == habits.share(step)
    # What a place keeps of its own, its unrest's moments, its habits.
    assert place.SIZE == 8 + 24 + SIZE


class _Passing:
    """A lorry in the lane: a swing that leaves nothing behind."""

    step = (0, 0, 0)
    noise = 100
    peak = sized_peak = 2000
    bend = 300
    moves = 2
    lasted_ms = 6000
    sparse_ms = unseen_ms = 1000


class _Wide(_Passing):
    """A metro's swing, or a car that drives over the node."""

    step = (100, -60, 40)
    bend = 9000
    moves = 20
    lasted_ms = 30000


def test_a_wide_swing_that_leaves_nothing_behind_is_none_of_this_bays():
    swing = _Wide()
    for peak in (10000, 20000, 33000, 60000):
        swing.peak = swing.sized_peak = peak
        here = place.Place()
        here.look_at(swing)
        assert here.ln_else > here.ln_own + 128, (peak, here.ln_else, here.ln_own)
        alike = here.ln_like_before(ln_spread(100, 250))
        assert here.ln_else > alike, (peak, here.ln_else, alike)


def _after(suppositions, ms, times=1):
    for _ in range(times):
        suppositions.weigh(_Passing, ms)
    return suppositions.lean()


def test_the_longer_a_bay_is_said_to_be_free_the_less_surely_it_is_and_within_bounds():
    soon = _after(Suppositions(), 60000)
    an_hour = _after(Suppositions(), 3600000)
    # (1 + 60 / 20) / (1 + 60 / 60): a free bay is taken sooner than a vehicle leaves.
    assert abs(an_hour - soon - 64 * 0.69) < 8, (soon, an_hour)
    days = _after(Suppositions(), 3600000, 60)
    assert days < 0
    assert an_hour <= days <= soon + 64 * 1.1 + 8, (soon, an_hour, days)


def test_how_long_it_was_free_is_remembered():
    suppositions = Suppositions()
    _after(suppositions, 1800000)
    record = bytearray(SUPPOSITIONS_SIZE)
    suppositions.pack_into(record, 0)
    again = Suppositions()
    again.unpack_from(record, 0)
    assert _after(again, 1800000, 3) == _after(suppositions, 1800000, 3)
    assert _after(again, 1800000) != _after(Suppositions(), 1800000)
