"""Six magnetometers, one interface: right numbers from a working chip, a sentence from any other."""

import json

from derb.drivers import (
    FAULT_ABSENT,
    FAULT_IDENTITY,
    FAULT_NONSENSE,
    FAULT_OVERFLOW,
    FAULT_SELF_TEST,
    FAULT_TIMEOUT,
    SensorError,
)
from derb.drivers.hmc5883l import HMC5883L
from derb.drivers.lis3mdl import LIS3MDL
from derb.drivers.mmc5983ma import MMC5983MA
from derb.drivers.qmc5883l import QMC5883L
from derb.drivers.qmc5883p import QMC5883P
from derb.drivers.rm3100 import RM3100
from fakes_bus import Bus, Clock
from fakes_magnetometers import (
    FakeHMC5883L,
    FakeLIS3MDL,
    FakeMMC5983MA,
    FakeQMC5883L,
    FakeQMC5883P,
    FakeRM3100,
)

PAIRS = (
    (LIS3MDL, FakeLIS3MDL),
    (QMC5883L, FakeQMC5883L),
    (QMC5883P, FakeQMC5883P),
    (HMC5883L, FakeHMC5883L),
    (MMC5983MA, FakeMMC5983MA),
    (RM3100, FakeRM3100),
)
FAKES = {driver.__name__: (driver, fake) for driver, fake in PAIRS}
SMALL_INT = 1 << 30


def wired(driver, chip, **options):
    """The chip on a bus of its own and its driver."""
    bus = Bus(Clock(), chip)
    return bus, driver(bus, chip.address, bus.clock.sleep_ms, **options)


def fault_of(action):
    """The code and the text of the SensorError that the action must raise."""
    try:
        action()
    except SensorError as error:
        return error.code, str(error)
    raise AssertionError("no SensorError")


def vectors():
    with open("tests/vectors/drivers.json") as file:
        return json.load(file)["magnetometers"]


def chip_of(vector):
    options = dict(vector["chip"])
    if type(options.get("sample")) is str:
        options["sample"] = bytes.fromhex(options["sample"])
    if type(options.get("temp")) is str:
        options["temp"] = bytes.fromhex(options["temp"])
    return FAKES[vector["driver"]][1](**options)


def test_the_golden_vectors_of_the_data_sheets():
    seen = set()
    for vector in vectors():
        name = vector["name"]
        seen.add(vector["driver"])
        bus, driver = wired(FAKES[vector["driver"]][0], chip_of(vector), **vector.get("options", {}))
        driver.start()
        if "fault" in vector:
            assert fault_of(lambda: driver.read(bus.clock.deadline(5000)))[0] == vector["fault"], name
            continue
        x, y, z, temp_c100 = driver.read(bus.clock.deadline(5000))
        assert [x, y, z] == vector["field_nt"], (name, x, y, z)
        assert temp_c100 == vector.get("temp_c100"), (name, temp_c100)
    assert seen == set(FAKES)


def test_it_is_set_up_once_and_goes_on_after_sleep():
    for driver_class, fake in PAIRS:
        bus, driver = wired(driver_class, fake())
        assert driver.start() is (driver_class is not RM3100)  # whose power-on state is the driver's own
        driver.read(bus.clock.deadline(5000))
        awake_again = driver_class(bus, fake.address, bus.clock.sleep_ms)
        if driver_class is not MMC5983MA:  # whose settings cannot be read
            assert awake_again.start() is False
        awake_again.read(bus.clock.deadline(5000))


def test_a_chip_that_lost_power_is_set_up_again():
    for driver_class, fake in PAIRS:
        chip = fake()
        bus, driver = wired(driver_class, chip)
        driver.start()
        if driver_class is RM3100:
            continue  # its power-on state is the driver's own
        chip.reset()
        assert driver.start() is True
        driver.read(bus.clock.deadline(5000))


def test_a_gain_that_the_last_wake_left_behind_unused_spoils_no_sample():
    bus, driver = wired(HMC5883L, FakeHMC5883L())
    driver.start()  # and the board resets before it has measured
    awake_again = HMC5883L(bus, sleep_ms=bus.clock.sleep_ms)
    assert awake_again.start() is False
    assert awake_again.read(bus.clock.deadline(5000))[:3] == (0, 0, 0)


def test_after_stop_it_can_be_started_again():
    for driver_class, fake in PAIRS:
        bus, driver = wired(driver_class, fake())
        driver.start()
        driver.read(bus.clock.deadline(5000))
        driver.stop()
        driver.start()
        driver.read(bus.clock.deadline(5000))


def test_an_absent_chip_is_reported_by_name_and_address():
    for driver_class, fake in PAIRS:
        bus, driver = wired(driver_class, fake())
        bus.chips.clear()
        code, text = fault_of(driver.start)
        assert code == FAULT_ABSENT
        assert driver_class.__name__ in text and "0x%02x" % fake.address in text, text


def test_another_chip_at_its_address_is_refused():
    for driver_class, fake in PAIRS:
        for identity in (0x00, 0x42):
            chip = fake()
            register = {0x1C: 0x0F, 0x0D: 0x0D, 0x2C: 0x00, 0x1E: 0x0A, 0x30: 0x2F, 0x20: 0x36}[chip.address]
            chip.registers[register] = identity
            bus, driver = wired(driver_class, chip)
            code, text = fault_of(driver.start)
            assert code == FAULT_IDENTITY, driver_class
            assert "another chip" in text and "%02x" % identity in text, text


def test_a_bus_stuck_at_either_level_is_never_a_chip():
    for driver_class, fake in PAIRS:
        for stuck_at in (0x00, 0xFF):
            bus, driver = wired(driver_class, fake())
            bus.stuck_at = stuck_at
            assert fault_of(driver.start)[0] in (FAULT_IDENTITY, FAULT_NONSENSE), driver_class


def test_a_bus_that_sticks_later_is_an_error_and_no_field():
    for driver_class, fake in PAIRS:
        for stuck_at, code in ((0x00, FAULT_TIMEOUT), (0xFF, FAULT_NONSENSE)):
            bus, driver = wired(driver_class, fake())
            driver.start()
            bus.stuck_at = stuck_at
            assert fault_of(lambda: driver.read(bus.clock.deadline(5000)))[0] == code, driver_class


def test_a_wire_that_breaks_at_any_transfer_is_an_error():
    for driver_class, fake in PAIRS:
        bus, driver = wired(driver_class, fake())
        driver.start()
        driver.read(bus.clock.deadline(5000))
        for broken_after in range(bus.transfers):
            bus, driver = wired(driver_class, fake())
            bus.broken_after = broken_after

            def run():
                driver.start()
                driver.read(bus.clock.deadline(5000))

            assert fault_of(run)[0] == FAULT_ABSENT, (driver_class, broken_after)


def test_a_chip_that_never_finishes_does_not_use_up_the_wake():
    for driver_class, fake in PAIRS:
        chip = fake()
        bus, driver = wired(driver_class, chip)
        driver.start()
        chip.never = True
        began_us = bus.clock.us
        code, text = fault_of(lambda: driver.read(bus.clock.deadline(15000)))
        assert code == FAULT_TIMEOUT and "no new sample" in text
        assert bus.clock.us - began_us < 2100000, driver_class


def test_the_deadline_handed_in_ends_the_wait_earlier():
    for driver_class, fake in PAIRS:
        chip = fake()
        bus, driver = wired(driver_class, chip)
        driver.start()
        chip.never = True
        began_us = bus.clock.us
        assert fault_of(lambda: driver.read(bus.clock.deadline(20)))[0] == FAULT_TIMEOUT
        assert bus.clock.us - began_us < 60000, driver_class


def test_a_burst_that_a_reset_cut_short_hangs_a_qmc5883l_until_it_is_stopped():
    chip = FakeQMC5883L()
    bus, driver = wired(QMC5883L, chip)
    driver.start()
    driver.read(bus.clock.deadline(5000))
    bus.clock.sleep_ms(200)
    assert chip.registers[0x09] & 1
    bus.readfrom_mem_into(0x0D, 0x06, bytearray(1))
    bus.readfrom_mem_into(0x0D, 0x00, bytearray(3))
    awake_again = QMC5883L(bus, sleep_ms=bus.clock.sleep_ms)
    assert awake_again.start() is False
    assert fault_of(lambda: awake_again.read(bus.clock.deadline(5000)))[0] == FAULT_TIMEOUT
    awake_again.stop()
    assert awake_again.start() is True
    assert awake_again.read(bus.clock.deadline(5000))[:3] == (0, 0, 0)


def test_after_an_overflow_it_measures_on():
    for driver_class, fake, options in (
        (QMC5883L, FakeQMC5883L, {"overflow": True}),
        (QMC5883P, FakeQMC5883P, {"overflow": True}),
        (HMC5883L, FakeHMC5883L, {"sample": b"\xf0\x00" * 3}),
        (MMC5983MA, FakeMMC5983MA, {"sample": (140000, 0, 0)}),
        (RM3100, FakeRM3100, {"sample": b"\x7f\xff\xff" * 3}),
        (LIS3MDL, FakeLIS3MDL, {"sample": (0, 32767, 0)}),
    ):
        chip = fake(**options)
        bus, driver = wired(driver_class, chip)
        driver.start()
        code, text = fault_of(lambda: driver.read(bus.clock.deadline(5000)))
        assert code == FAULT_OVERFLOW and "beyond" in text, text
        chip.overflow = False
        chip.sample = fake().sample
        assert driver.read(bus.clock.deadline(5000))[:3] == (0, 0, 0)


def test_only_the_chip_with_a_threshold_interrupt_can_watch():
    assert [driver.__name__ for driver, _ in PAIRS if driver.can_watch] == ["LIS3MDL"]
    assert [driver.__name__ for driver, _ in PAIRS if hasattr(driver, "watch")] == ["LIS3MDL"]


def test_a_thermometer_speaks_for_chips_that_have_none():
    for driver_class, fake in ((QMC5883P, FakeQMC5883P), (HMC5883L, FakeHMC5883L), (RM3100, FakeRM3100)):
        bus, driver = wired(driver_class, fake(), thermometer=lambda: 1925)
        driver.start()
        assert driver.read(bus.clock.deadline(5000))[3] == 1925


def test_axes_of_the_hmc5883l_come_in_the_order_x_z_y():
    bus, driver = wired(HMC5883L, FakeHMC5883L(b"\x00\x52\x00\xa4\x00\x29"))  # 82, 164, 41
    driver.start()
    assert driver.read(bus.clock.deadline(5000))[:3] == (10000, 5000, 20000)


def test_the_bridge_offset_of_the_mmc5983ma_cancels():
    for offset in ((0, 0, 0), (5000, -5000, 12345), (-20000, 20000, 1)):
        bus, driver = wired(MMC5983MA, FakeMMC5983MA((4915, -6554, 8192), offset))
        driver.start()
        assert driver.read(bus.clock.deadline(5000))[:3] == (29998, -40003, 50000), offset


def test_an_mmc5983ma_whose_thermometer_hangs_still_knows_the_field():
    chip = FakeMMC5983MA((4915, -6554, 8192), (5000, -5000, 12345))
    chip.thermometer = False
    bus, driver = wired(MMC5983MA, chip)
    driver.start()
    assert driver.read(bus.clock.deadline(5000)) == (29998, -40003, 50000, None)
    assert driver.read(bus.clock.deadline(5000))[:3] == (29998, -40003, 50000)


def test_an_mmc5983ma_without_its_calibration_is_refused():
    chip = FakeMMC5983MA()
    chip.otp = 0
    bus, driver = wired(MMC5983MA, chip)
    assert fault_of(driver.start)[0] == FAULT_SELF_TEST


def test_a_status_of_all_ones_after_a_long_sleep_is_no_nonsense():
    bus, driver = wired(LIS3MDL, FakeLIS3MDL((6842, 0, 0)))
    driver.start()
    bus.clock.sleep_ms(60000)  # sample after sample, and nobody fetched them
    assert driver.read(bus.clock.deadline(5000))[:3] == (100000, 0, 0)
    awake_again = LIS3MDL(bus, sleep_ms=bus.clock.sleep_ms)
    bus.clock.sleep_ms(60000)
    awake_again.start()
    assert awake_again.read(bus.clock.deadline(5000))[:3] == (100000, 0, 0)


def test_what_the_lis3mdl_watches_does_not_change_what_it_reads():
    chip = FakeLIS3MDL((2000, -684, 2737))
    bus, driver = wired(LIS3MDL, chip)
    driver.start()
    before = driver.read(bus.clock.deadline(5000))
    assert driver.watch(before[0], before[1], before[2], 3000, bus.clock.deadline(3000))
    assert driver.read(bus.clock.deadline(5000)) == before
    assert LIS3MDL(bus, sleep_ms=bus.clock.sleep_ms).start() is False
    assert chip.registers[0x32] | chip.registers[0x33] << 8 == 205  # 3,000 nT
    assert chip.registers[0x30] == 0xED


def test_the_lis3mdl_takes_the_very_field_it_read_as_the_middle():
    chip = FakeLIS3MDL((1711, -684, 2737))
    bus, driver = wired(LIS3MDL, chip)
    driver.start()
    assert driver.watch(*driver.read(bus.clock.deadline(5000))[:3], 3000, bus.clock.deadline(3000))
    offsets = [chip.registers[0x05 + i] for i in range(6)]
    assert bytes(offsets) == b"\xaf\x06\x54\xfd\xb1\x0a"  # the three samples, little-endian


def test_a_lis3mdl_whose_offset_does_not_do_what_it_should_watches_nothing_and_reads_right():
    for sign in (0, -1):
        chip = FakeLIS3MDL((1711, -684, 2737), offset_sign=sign)
        bus, driver = wired(LIS3MDL, chip)
        driver.start()
        field = driver.read(bus.clock.deadline(5000))[:3]
        assert driver.watch(*field, 3000, bus.clock.deadline(3000)) is False
        assert chip.registers[0x30] & 1 == 0
        bus.clock.sleep_ms(60000)
        awake_again = LIS3MDL(bus, sleep_ms=bus.clock.sleep_ms)
        assert awake_again.start() is False
        assert awake_again.read(bus.clock.deadline(5000))[:3] == field
        assert awake_again.watch(*field, 3000, bus.clock.deadline(3000)) is False


def test_a_lis3mdl_that_has_shown_once_that_it_watches_is_believed_until_it_loses_power():
    chip = FakeLIS3MDL((1711, -684, 2737))
    bus, driver = wired(LIS3MDL, chip)
    took_ms = []
    for power in (False, True, True, False):
        if not power:
            chip.reset()
        awake = LIS3MDL(bus, sleep_ms=bus.clock.sleep_ms)
        assert awake.start() is not power
        field = awake.read(bus.clock.deadline(5000))[:3]
        began_us = bus.clock.us
        assert awake.watch(*field, 3000, bus.clock.deadline(3000))
        took_ms.append((bus.clock.us - began_us) // 1000)
    assert took_ms[1] < 5 and took_ms[2] < 5
    assert 800 < took_ms[0] < 1700 and 800 < took_ms[3] < 1700


def test_a_lis3mdl_that_was_stopped_must_show_again_that_it_watches():
    chip = FakeLIS3MDL((1711, -684, 2737))
    bus, driver = wired(LIS3MDL, chip)
    driver.start()
    field = driver.read(bus.clock.deadline(5000))[:3]
    assert driver.watch(*field, 3000, bus.clock.deadline(3000))
    driver.stop()
    assert driver.start() is True
    driver.read(bus.clock.deadline(5000))
    chip.offset_sign = 0
    assert driver.watch(*field, 3000, bus.clock.deadline(3000)) is False
    bus.clock.sleep_ms(60000)
    awake_again = LIS3MDL(bus, sleep_ms=bus.clock.sleep_ms)
    awake_again.start()
    assert awake_again.read(bus.clock.deadline(5000))[:3] == field
    assert awake_again.watch(*field, 3000, bus.clock.deadline(3000)) is False


def test_a_reset_between_the_offset_and_the_interrupt_bends_no_reading():
    chip = FakeLIS3MDL((1711, -684, 2737))
    bus, driver = wired(LIS3MDL, chip)
    driver.start()
    field = driver.read(bus.clock.deadline(5000))[:3]
    bus.broken_after = bus.transfers + 1  # the offset is written, and nothing more
    assert fault_of(lambda: driver.watch(*field, 3000, bus.clock.deadline(3000)))[0] == FAULT_ABSENT
    bus.broken_after = None
    awake_again = LIS3MDL(bus, sleep_ms=bus.clock.sleep_ms)
    awake_again.start()
    assert awake_again.read(bus.clock.deadline(5000))[:3] == field


def test_an_overflow_is_seen_behind_the_offset_too():
    chip = FakeLIS3MDL((3000, 0, 0))
    bus, driver = wired(LIS3MDL, chip)
    driver.start()
    assert driver.watch(43848, 0, 0, 3000, bus.clock.deadline(3000))
    chip.sample = (32767, 0, 0)  # leaves 29,767 in the register
    assert fault_of(lambda: driver.read(bus.clock.deadline(5000)))[0] == FAULT_OVERFLOW


def test_the_self_test_of_the_lis3mdl_knows_the_limits_of_an4602():
    for bias, passes in (
        ((2281, 6843, 228), True),
        ((-4000, -4000, -1000), True),
        ((2280, 4000, 1000), False),
        ((4000, 6844, 1000), False),
        ((4000, 4000, 227), False),
        ((4000, 4000, 2282), False),
        ((0, 0, 0), False),
    ):
        bus, driver = wired(LIS3MDL, FakeLIS3MDL((300, -200, 900), bias=bias))
        driver.start()
        if passes:
            driver.self_test(bus.clock.deadline(5000))
        else:
            code, text = fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))
            assert code == FAULT_SELF_TEST and "self-test" in text
        assert driver.start() is True  # and then it measures as before
        assert driver.read(bus.clock.deadline(5000))[0] == 4384


def test_the_self_test_of_the_lis3mdl_wants_an_offset_that_moves_its_window():
    # 12.7 uT on each axis, the weakest field of the Earth: 290 counts at 12 gauss.
    for sign, passes in ((1, True), (0, False), (-1, False)):
        bus, driver = wired(LIS3MDL, FakeLIS3MDL((290, -290, 290), offset_sign=sign))
        driver.start()
        if passes:
            driver.self_test(bus.clock.deadline(5000))
        else:
            code, text = fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))
            assert code == FAULT_SELF_TEST and "cannot watch" in text
        assert driver.start() is True
        assert driver.read(bus.clock.deadline(5000))[0] == 4238


def test_the_self_test_of_the_hmc5883l_knows_the_limits_of_gain_5():
    for counts, passes in (
        ((452, 421, 452), True),
        ((243, 575, 300), True),
        ((242, 400, 400), False),
        ((400, 576, 400), False),
        ((-4096, 400, 400), False),
    ):
        chip = FakeHMC5883L(b"\x00\x52\x00\x00\x00\x00")
        chip.bias = b"".join((count & 0xFFFF).to_bytes(2, "big") for count in counts)
        bus, driver = wired(HMC5883L, chip)
        driver.start()
        if passes:
            driver.self_test(bus.clock.deadline(5000))
        else:
            assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))[0] == FAULT_SELF_TEST
        assert driver.start() is True
        assert driver.read(bus.clock.deadline(5000))[0] == 10000


def test_the_self_test_of_the_rm3100_wants_all_three_oscillators():
    for oscillators in (0x70, 0x60, 0x50, 0x30, 0x00):
        chip = FakeRM3100()
        chip.oscillators = oscillators
        bus, driver = wired(RM3100, chip)
        driver.start()
        if oscillators == 0x70:
            driver.self_test(bus.clock.deadline(5000))
        else:
            assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))[0] == FAULT_SELF_TEST
        assert chip.registers[0x33] == 0
        driver.read(bus.clock.deadline(5000))


def test_an_rm3100_whose_self_test_never_ends_measures_afterwards():
    chip = FakeRM3100()
    bus, driver = wired(RM3100, chip)
    driver.start()
    chip.never = True
    assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))[0] == FAULT_TIMEOUT
    chip.never = False
    driver.start()
    assert driver.read(bus.clock.deadline(5000))[:3] == (0, 0, 0)


def test_an_rm3100_that_measures_by_itself_is_brought_to_rest():
    chip = FakeRM3100()
    chip.registers[0x01] = 0x71
    bus, driver = wired(RM3100, chip)
    assert driver.start() is True
    assert driver.read(bus.clock.deadline(5000))[:3] == (0, 0, 0)


def test_the_self_test_of_the_qmc5883p_knows_the_limits_of_its_maker():
    for counts, passes in (
        ((120, 1800, 600), True),
        ((-600, -120, -1800), True),
        ((119, 600, 600), False),
        ((600, 1801, 600), False),
        ((600, 600, 0), False),
    ):
        chip = FakeQMC5883P()
        chip.push = counts
        bus, driver = wired(QMC5883P, chip)
        driver.start()
        if passes:
            driver.self_test(bus.clock.deadline(5000))
        else:
            assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))[0] == FAULT_SELF_TEST, counts
        assert driver.start() is True
        assert driver.read(bus.clock.deadline(5000))[:3] == (0, 0, 0)


def test_the_self_test_of_the_mmc5983ma_wants_a_field_that_turns_over():
    earth, offset = (4000, -2000, 5000), (900, -700, 300)
    for coil, sample, passes in (
        (True, earth, True),
        (False, earth, False),
        (True, (200, 100, -100), False),  # 0.6 uT or so: no such place on Earth
    ):
        chip = FakeMMC5983MA(sample, offset)
        chip.coil = coil
        bus, driver = wired(MMC5983MA, chip)
        driver.start()
        if passes:
            driver.self_test(bus.clock.deadline(5000))
        else:
            assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))[0] == FAULT_SELF_TEST
    # A field that is another one a moment later is a loose wire, or a car.
    chip = FakeMMC5983MA(earth, offset)
    bus, driver = wired(MMC5983MA, chip)
    driver.start()
    slept = bus.clock.sleep_ms

    def drifting(ms):
        slept(ms)
        chip.sample = tuple(axis + 30 for axis in chip.sample)

    driver._registers.sleep_ms = drifting
    assert fault_of(lambda: driver.self_test(bus.clock.deadline(5000)))[0] == FAULT_SELF_TEST


def test_no_conversion_leaves_the_small_ints_of_a_32_bit_board():
    from derb.drivers import hmc5883l, mmc5983ma, qmc5883l, qmc5883p, rm3100

    for scales in (qmc5883l._RANGES, qmc5883p._RANGES):
        for scale in scales.values():
            assert 32768 * scale[1] < SMALL_INT
    assert all(32768 * numerator < SMALL_INT for numerator, _ in hmc5883l._SCALES)
    assert (0x3FFFE - 1) * 3125 < SMALL_INT
    assert mmc5983ma._nt(0x3FFFD) == 799990
    for numerator, _, lsb_per_ut in rm3100._GAINS.values():
        assert 800 * lsb_per_ut * numerator < SMALL_INT
