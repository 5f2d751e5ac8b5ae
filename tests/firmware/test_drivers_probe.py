"""Which chip is it? The one that says so, whatever is printed on the board."""

from derb.drivers import FAULT_ABSENT, FAULT_IDENTITY, SensorError
from derb.drivers.probe import find_magnetometer
from fakes_bus import Bus, Chip, Clock
from fakes_magnetometers import (
    FakeHMC5883L,
    FakeLIS3MDL,
    FakeMMC5983MA,
    FakeQMC5883L,
    FakeQMC5883P,
    FakeRM3100,
)

FAKES = (FakeLIS3MDL, FakeQMC5883L, FakeQMC5883P, FakeHMC5883L, FakeMMC5983MA, FakeRM3100)


def at(fake, address):
    chip = fake()
    chip.address = address
    return chip


class Stranger(Chip):
    """Answers every register with the same byte."""

    def __init__(self, address, byte):
        super().__init__()
        self.address = address
        self.put(0, [byte] * 256)


def found_on(*chips):
    bus = Bus(Clock(), *chips)
    return bus, find_magnetometer(bus, bus.clock.sleep_ms)


def refusal(*chips):
    try:
        found_on(*chips)
    except SensorError as error:
        return error.code, str(error)
    raise AssertionError("found one")


def test_every_chip_is_found_as_itself_and_can_be_read():
    for fake in FAKES:
        bus, driver = found_on(fake())
        assert "Fake" + type(driver).__name__ == fake.__name__
        driver.start()
        assert driver.read(bus.clock.deadline(5000))[:3] == (0, 0, 0)


def test_every_address_of_the_rm3100_is_tried():
    for address in (0x20, 0x21, 0x22, 0x23):
        bus, driver = found_on(at(FakeRM3100, address))
        driver.start()
        driver.read(bus.clock.deadline(5000))


def test_the_two_chips_that_share_an_address_are_told_apart():
    assert type(found_on(at(FakeLIS3MDL, 0x1E))[1]).__name__ == "LIS3MDL"
    assert type(found_on(FakeHMC5883L())[1]).__name__ == "HMC5883L"


def test_the_chip_that_can_wake_the_board_is_preferred():
    _, driver = found_on(FakeQMC5883L(), FakeRM3100(), FakeLIS3MDL())
    assert driver.can_watch


def test_an_empty_bus_is_a_matter_of_wires():
    code, text = refusal()
    assert code == FAULT_ABSENT and "wires" in text


def test_other_chips_are_named():
    code, text = refusal(Stranger(0x68, 0x68), Stranger(0x3C, 0))
    assert code == FAULT_ABSENT and "0x3c, 0x68" in text


def test_a_stranger_at_a_known_address_is_named_with_what_it_says():
    code, text = refusal(Stranger(0x1E, 0x42))
    assert code == FAULT_IDENTITY
    assert "0x1e is no LIS3MDL (says 42)" in text and "0x1e is no HMC5883L (says 424242)" in text


def test_a_stranger_that_says_ff_is_refused_at_its_start():
    bus, driver = found_on(Stranger(0x0D, 0xFF))
    try:
        driver.start()
    except SensorError as error:
        assert "nonsense" in str(error)
    else:
        raise AssertionError("started")


def test_a_thermometer_is_handed_to_the_chips_that_have_none():
    for fake in (FakeQMC5883P, FakeHMC5883L, FakeRM3100):
        bus = Bus(Clock(), fake())
        driver = find_magnetometer(bus, bus.clock.sleep_ms, thermometer=lambda: 777)
        driver.start()
        assert driver.read(bus.clock.deadline(5000))[3] == 777
