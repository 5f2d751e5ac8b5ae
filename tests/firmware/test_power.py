"""The wake pin is armed by whatever call the chip has."""

from derb.power import wake_on_high


class Chip:
    WAKEUP_ANY_HIGH = 1

    def __init__(self):
        self.armed = None


class First(Chip):
    def wake_on_ext0(self, pin, level):
        self.armed = (pin, level)

    def wake_on_ext1(self, pins, level):
        raise AssertionError("takes more current than ext0")


class C6(Chip):
    def wake_on_ext1(self, pins, level):
        self.armed = (pins, level)


class C3(Chip):
    def wake_on_gpio(self, pins, level):
        self.armed = (pins, level)


def test_every_chip_is_armed_in_its_own_way():
    for kind, armed in ((First, (7, 1)), (C6, ((7,), 1)), (C3, ((7,), 1))):
        chip = kind()
        assert wake_on_high(chip, 7)
        assert chip.armed == armed


def test_a_chip_that_cannot_says_so():
    assert not wake_on_high(Chip(), 7)
