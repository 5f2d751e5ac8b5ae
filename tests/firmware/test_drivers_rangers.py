"""Rangers on a UART: a distance where there is one, a reason where there is none, and an end to every wait."""

import json

from derb.drivers.a02yyuw import A02YYUW
from derb.drivers.maxbotix import MaxBotix
from derb.drivers.uart_ranger import NO_END, NO_START, TOO_CLOSE, echo_us
from derb.echoes import distance_mm, sound_mm_s
from derb.level import Level
from fakes_bus import Clock
from fakes_uart import Uart

DRIVERS = {"A02YYUW": A02YYUW, "MaxBotix": MaxBotix}
AIR_C100 = 2000


def air_c100():
    return AIR_C100


def on_line(driver, script, repeat_ms=0, air=air_c100):
    clock = Clock()
    uart = Uart(clock, script, repeat_ms)
    return clock, driver(uart, air, within=clock.deadline, sleep_ms=clock.sleep_ms)


def a02(mm):
    high, low = mm >> 8, mm & 0xFF
    return bytes((0xFF, high, low, (0xFF + high + low) & 0xFF))


def maxbotix(mm):
    return b"R%04d\r" % mm


def taken(driver_class, sent):
    """All distances that come out of these bytes, and the driver."""
    _, driver = on_line(driver_class, [])
    driver.forget()
    return [mm for mm in map(driver.take, sent) if mm is not None], driver


def test_the_golden_vectors():
    with open("tests/vectors/drivers.json") as file:
        vectors = json.load(file)["rangers"]
    for vector in vectors:
        found, driver = taken(DRIVERS[vector["driver"]], bytes.fromhex(vector["bytes"]))
        assert found == [vector["mm"]] and driver.garbage == 0, vector["name"]
    assert {vector["driver"] for vector in vectors} == set(DRIVERS)


def test_so_many_fresh_distances_as_asked_for():
    for driver_class, frame, period_ms in ((A02YYUW, a02, 100), (MaxBotix, maxbotix, 150)):
        clock, driver = on_line(driver_class, [(10, frame(1400))], period_ms)
        assert driver.measure(9) == [1400] * 9
        assert clock.us < 10 * period_ms * 1000


def test_what_waited_in_the_buffer_is_not_taken_for_new():
    clock, driver = on_line(A02YYUW, [(0, a02(900) * 20), (300, a02(1400) * 3)])
    clock.us = 100000
    assert driver.measure(3) == [1400] * 3


def test_a_frame_torn_by_flushing_costs_one_frame_only():
    for driver_class, frame in ((A02YYUW, a02), (MaxBotix, maxbotix)):
        for begin_us in range(0, 6000, 300):
            clock, driver = on_line(driver_class, [(0, frame(1400))], 100)
            clock.us = begin_us
            assert driver.measure(3) == [1400] * 3, (driver_class, begin_us)
            assert clock.us < 450000


def test_a_silent_ranger_is_no_echo_and_costs_one_wait():
    for driver_class in (A02YYUW, MaxBotix):
        clock, driver = on_line(driver_class, [])
        assert driver.measure(9) == [NO_START] * 9
        assert clock.us < 1600000
        assert Level(1500, 250).measure(driver.pings(9), AIR_C100) == ("no_echo", None, None)


def test_one_that_falls_silent_keeps_what_it_said():
    clock, driver = on_line(A02YYUW, [(0, a02(1400)), (100, a02(1401))])
    assert driver.measure(5) == [1400, 1401] + [NO_START] * 3


def test_noise_without_end_ends():
    noise = bytes((i * 73 + 41) & 0xFF for i in range(97))
    for driver_class in (A02YYUW, MaxBotix):
        clock, driver = on_line(driver_class, [(0, noise)], 101)
        found = driver.measure(3)
        assert len(found) == 3
        assert clock.us < 5000000
    text = b"Rxxxx\rRRRR\rR12\rR12345\rR 123\r"
    clock, driver = on_line(MaxBotix, [(0, text)], 40)
    assert driver.measure(3) == [NO_START] * 3
    assert driver.garbage > 20


def test_every_flipped_bit_of_an_a02yyuw_frame_is_noticed():
    for mm in (31, 255, 256, 511, 1953, 4500):
        frame = a02(mm)
        for bit in range(32):
            broken = bytearray(frame)
            broken[bit // 8] ^= 1 << bit % 8
            found, driver = taken(A02YYUW, bytes(broken) + a02(700) * 3)
            assert found[-2:] == [700, 700] and mm not in found, (mm, bit)
            assert set(found) == {700}, (mm, bit, found)


def test_an_a02yyuw_stream_is_found_from_any_byte_for_any_distance():
    for mm in range(30, 4501):
        stream = a02(mm) * 4
        for start in (1, 2, 3):
            found, _ = taken(A02YYUW, stream[start:])
            assert set(found) == {mm} and len(found) >= 2, (mm, start, found)


def test_truncated_frames_are_dropped_and_counted():
    for driver_class, frame in ((A02YYUW, a02), (MaxBotix, maxbotix)):
        for length in range(1, len(frame(1234))):
            torn = [(10, frame(1234)[:length]), (110, frame(700)), (210, frame(701))]
            _, driver = on_line(driver_class, torn)
            assert driver.measure(2) == [700, 701], (driver_class, length)
            assert driver.garbage == 1


def test_a_torn_frame_and_the_next_one_make_no_distance_together():
    # FF 04 of one frame and FF 02 of the next add up to a good frame of 1,279 mm.
    _, driver = on_line(A02YYUW, [(10, a02(1234)[:2]), (110, a02(700)), (210, a02(700))])
    assert driver.measure(2) == [700, 700]


def test_the_greeting_of_a_maxbotix_is_no_distance():
    greeting = b"HRXL-MaxSonar-WR\rMB7389\r\xa92014\rRoHS\rTempI\r"
    found, driver = taken(MaxBotix, greeting + maxbotix(1234))
    assert found == [1234]


def test_a_maxbotix_in_other_units_is_not_believed():
    assert taken(MaxBotix, b"R123\rR045\r")[0] == []


def test_lines_of_the_wrong_polarity_give_no_distance():
    inverted = bytes(0xFF ^ byte for byte in maxbotix(1234)) * 5
    assert taken(MaxBotix, inverted)[0] == []


def test_a_ten_metre_maxbotix_has_other_ends():
    clock = Clock()
    uart = Uart(clock, [(0, b"R0500\rR0501\rR9998\rR9999\r")])
    driver = MaxBotix(uart, air_c100, min_mm=500, max_mm=9999, within=clock.deadline, sleep_ms=clock.sleep_ms)
    assert driver.measure(4) == [TOO_CLOSE, 501, 9998, NO_END]


def test_level_gets_back_the_distance_that_the_ranger_said():
    for temp_c100 in (-4000, -1000, 0, 2000, 4550, 8500):
        speed = sound_mm_s(temp_c100)
        for mm in list(range(30, 5001, 7)) + [4500, 5000, 9998]:
            echo = echo_us(mm, speed)
            assert abs(distance_mm(echo, temp_c100) - mm) <= 1, (mm, temp_c100)
            assert mm * 100000 < 1 << 30


def test_level_says_why_there_is_none():
    level = Level(1500, 250)
    for said, status in ((0, "no_echo"), (10, "too_close"), (4501, "no_echo"), (800, "ok")):
        _, driver = on_line(A02YYUW, [(0, a02(said))], 100)
        assert level.measure(driver.pings(9), AIR_C100)[0] == status
    for said, status in ((300, "too_close"), (5000, "no_echo"), (800, "ok")):
        _, driver = on_line(MaxBotix, [(0, maxbotix(said))], 150)
        assert level.measure(driver.pings(9), AIR_C100)[0] == status


def test_a_ranger_that_knows_no_temperature_is_corrected_by_the_node():
    # It reckoned with 20 degrees, but the air has 45: what it calls 1,000 mm is 1,041.
    _, driver = on_line(A02YYUW, [(0, a02(1000))], 100, air=lambda: 2000)
    _, mm, _ = Level(1500, 250).measure(driver.pings(9), 4500)
    assert 1040 <= mm <= 1042
