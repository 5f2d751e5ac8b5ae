"""Tilt: the right angle from any position, and a pin that a tilted lid raises and a knock does not."""

import math

from derb.drivers import (
    FAULT_ABSENT,
    FAULT_IDENTITY,
    FAULT_MOUNTING,
    FAULT_NONSENSE,
    FAULT_SELF_TEST,
    FAULT_TIMEOUT,
    SensorError,
)
from derb.drivers.lis3dh import LIS3DH
from derb.drivers.tilt import angle_deg, isqrt
from fakes_bus import Bus, Clock
from fakes_lis3dh import FakeLIS3DH

UPRIGHT = (0, 0, 1000)


def wired(pull_mg=UPRIGHT):
    chip = FakeLIS3DH(pull_mg)
    bus = Bus(Clock(), chip)
    return chip, bus, LIS3DH(bus, sleep_ms=bus.clock.sleep_ms)


def fault_of(action):
    try:
        action()
    except SensorError as error:
        return error.code
    raise AssertionError("no SensorError")


def leaning(degrees, length=1000, around=0):
    """A pull of `length` at an angle to z."""
    angle, turn = math.radians(degrees), math.radians(around)
    return (
        int(round(length * math.sin(angle) * math.cos(turn))),
        int(round(length * math.sin(angle) * math.sin(turn))),
        int(round(length * math.cos(angle))),
    )


def test_every_whole_degree_from_any_side():
    for around in (0, 33, 90, 200, 315):
        for degrees in range(181):
            found = angle_deg(leaning(degrees, around=around), UPRIGHT)
            assert abs(found - degrees) <= (1 if around else 0), (degrees, around, found)


def test_every_angle_between_is_within_a_degree_of_the_true_one():
    for tenths in range(0, 1800, 7):
        for length in (720, 1000, 1290):
            found = angle_deg(leaning(tenths / 10, length, 77), (0, 0, 960))
            assert abs(found - tenths / 10) <= 0.7, (tenths, length, found)


def test_the_angle_is_the_same_both_ways_and_for_any_mounting():
    slanting = (577, -577, 577)
    assert angle_deg(slanting, slanting) == 0
    assert angle_deg(slanting, (-577, 577, -577)) == 180
    assert angle_deg(UPRIGHT, slanting) == angle_deg(slanting, UPRIGHT) == 55


def test_what_is_not_the_pull_of_the_earth_has_no_angle():
    for shaken in ((0, 0, 0), (0, 0, 600), (2047, 2047, 2047), (-2048, -2048, -2048), (1000, 1000, 0)):
        assert fault_of(lambda: angle_deg(shaken, UPRIGHT)) == FAULT_NONSENSE
        assert fault_of(lambda: angle_deg(UPRIGHT, shaken)) == FAULT_NONSENSE


def test_roots_are_whole_and_right_to_the_end_of_small_ints():
    for n in list(range(2000)) + [32767 * 32767 - 1, 32767 * 32767, (1 << 30) - 1, 805306368]:
        root = isqrt(n)
        assert root * root <= n < (root + 1) * (root + 1), n


def test_counts_are_ten_bits_on_the_left_at_4_mg():
    for pull_mg in ((1000, -1000, 4), (2044, -2048, -4), (0, 500, 1000)):
        chip, bus, driver = wired(pull_mg)
        driver.start()
        assert driver.read(bus.clock.deadline(5000)) == pull_mg


def test_the_tilt_of_a_lid():
    chip, bus, driver = wired((40, -30, 984))
    driver.start()
    closed = driver.read(bus.clock.deadline(5000))
    assert driver.tilt_deg(closed, bus.clock.deadline(5000)) == 0
    chip.sample = (984, -30, 40)
    assert 84 <= driver.tilt_deg(closed, bus.clock.deadline(5000)) <= 92
    chip.sample = (-40, 30, -984)
    assert driver.tilt_deg(closed, bus.clock.deadline(5000)) == 180


def test_while_it_is_moved_it_has_no_tilt():
    chip, bus, driver = wired((0, 0, 1800))
    driver.start()
    assert fault_of(lambda: driver.tilt_deg(UPRIGHT, bus.clock.deadline(5000))) == FAULT_NONSENSE


def test_it_is_set_up_once():
    chip, bus, driver = wired()
    assert driver.start() is True
    assert LIS3DH(bus, sleep_ms=bus.clock.sleep_ms).start() is False
    driver.stop()
    assert driver.start() is True


def test_the_self_test_knows_the_limits_of_table_4():
    for counts, passes in (
        ((17, 17, 17), True),
        ((-100, -200, -17), True),
        ((360, 100, 200), True),
        ((16, 100, 100), False),
        ((100, 16, 100), False),
        ((100, 100, -16), False),
        ((361, 100, 100), False),
        ((0, 0, 0), False),
    ):
        chip, bus, driver = wired((-40, 32, 0))  # room for 360 counts either way
        driver.start()
        chip.push_mg = tuple(4 * count for count in counts)
        if passes:
            driver.self_test(bus.clock.deadline(5000))
        else:
            assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000))) == FAULT_SELF_TEST, counts
        assert driver.start() is False
        assert driver.read(bus.clock.deadline(5000)) == (-40, 32, 0)


def test_the_self_test_leaves_the_watch_and_raises_no_alarm():
    chip, bus, driver = wired()
    driver.start()
    driver.watch(45, 10, bus.clock.deadline(5000))
    driver.self_test(bus.clock.deadline(5000))
    assert not chip.pin()
    chip.feel((1000, 0, 0), 101)
    assert chip.pin()


def test_a_self_test_cut_short_is_undone_by_the_next_start():
    chip, bus, driver = wired()
    driver.start()
    bus.transfers, bus.broken_after = 0, 40
    assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000))) == FAULT_ABSENT
    bus.broken_after = None
    driver.start()
    assert driver.read(bus.clock.deadline(5000)) == UPRIGHT


def test_a_status_of_all_ones_after_a_long_sleep_is_no_nonsense():
    chip, bus, driver = wired()
    driver.start()
    bus.clock.sleep_ms(60000)
    assert driver.read(bus.clock.deadline(5000)) == UPRIGHT


def test_only_a_tilt_that_lasts_raises_the_pin():
    for upright in ((0, 0, 1000), (0, 0, -1000), (-980, 100, 0), (0, 990, -90)):
        chip, bus, driver = wired(upright)
        driver.start()
        driver.watch(45, 10, bus.clock.deadline(5000))
        flat = (upright[2], upright[0], upright[1])
        chip.feel(flat, 100)
        assert not chip.pin(), "a knock, or a lid opened for a bag"
        chip.feel(upright, 1)
        chip.feel(flat, 101)
        assert chip.pin()
        assert driver.moved() is True
        assert driver.moved() is False and not chip.pin()


def test_it_wakes_at_the_angle_asked_for():
    for degrees in (20, 30, 45, 60, 70):
        chip, bus, driver = wired()
        driver.start()
        driver.watch(degrees, 0, bus.clock.deadline(5000))
        chip.feel(leaning(degrees - 2), 3)
        assert not chip.pin(), degrees
        chip.feel(leaning(degrees + 3), 3)
        assert chip.pin(), degrees


def test_asked_for_more_than_it_can_it_does_what_it_can():
    chip, bus, driver = wired()
    driver.start()
    driver.watch(90, 600, bus.clock.deadline(5000))
    assert (chip.registers[0x32], chip.registers[0x33]) == (342 // 16, 120)
    driver.watch(1, 0, bus.clock.deadline(5000))
    assert (chip.registers[0x32], chip.registers[0x33]) == (940 // 16, 0)


def test_a_slanting_node_cannot_be_watched():
    chip, bus, driver = wired((577, 577, 577))
    driver.start()
    assert fault_of(lambda: driver.watch(45, 10, bus.clock.deadline(5000))) == FAULT_MOUNTING


def test_garbage_on_its_bus():
    chip, bus, driver = wired()
    bus.stuck_at = 0xFF
    assert fault_of(driver.start) == FAULT_IDENTITY
    bus.stuck_at = 0x00
    assert fault_of(driver.start) == FAULT_IDENTITY
    bus.stuck_at = None
    driver.start()
    bus.stuck_at = 0xFF
    assert fault_of(lambda: driver.read(bus.clock.deadline(5000))) == FAULT_NONSENSE
    bus.stuck_at = 0x00
    assert fault_of(lambda: driver.read(bus.clock.deadline(5000))) == FAULT_TIMEOUT
    bus.stuck_at = None
    for broken_after in range(6):
        bus.transfers = 0
        bus.broken_after = broken_after

        def run():
            driver.stop()
            driver.start()
            driver.read(bus.clock.deadline(5000))

        assert fault_of(run) == FAULT_ABSENT, broken_after
