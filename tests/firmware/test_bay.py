"""A bay's wakes: what it does when its chip fails, and when it is well again."""

from derb import reading
from derb.bay import Bay
from derb.drivers import FAULT_ABSENT, FAULT_TIMEOUT, SensorError
from derb.keepsake import Keepsake
from fakes_nvs import FakeNvs

INTERPRETERS = ("unix64", "wasm32")  # its deadlines are MicroPython's


class _Chip:
    """A magnetometer in a quiet empty bay. `hangs` until it was stopped and set up again; `absent` for ever."""

    def __init__(self, can_watch=False, hangs=False, absent=False, watches=True):
        self.can_watch, self.hangs, self.absent, self.watches = can_watch, hangs, absent, watches
        self.runs = self.watched = False
        self.samples = 0

    def start(self):
        self._answer()
        self.runs = True

    def read(self, deadline):
        self._answer()
        assert self.runs
        if self.hangs:
            raise SensorError(FAULT_TIMEOUT, "has no new sample")
        self.samples += 1
        return 29000 + self.samples % 7, -300, 30000, None

    def watch(self, x_nt, y_nt, z_nt, threshold_nt, deadline):
        assert deadline.left() > 0
        self.watched = self.watches
        return self.watches

    def stop(self):
        self._answer()
        self.runs = self.hangs = False

    def _answer(self):
        if self.absent:
            raise SensorError(FAULT_ABSENT, "does not answer")


class _Config:
    sample_ms = 1000


class _Deadline:
    def over(self):
        return False


def _wake(chip, saved, now_s=1000, first=False):
    nvs = FakeNvs()
    bay = Bay(lambda: chip, _Config, saved, lambda ms: None, lambda kept: Keepsake(nvs, kept))
    return bay, bay.sense(lambda: now_s, _Deadline(), first)


def _alarms(said):
    return [payload[0] for kind, payload, _ in said if kind == reading.ALARM]


def test_a_chip_that_hangs_is_told_once_and_set_up_anew_at_the_next_wake():
    chip = _Chip(hangs=True)
    bay, said = _wake(chip, None)
    assert bay.fault == FAULT_TIMEOUT and _alarms(said) == [reading.SENSOR_FAULT]
    assert not chip.runs
    bay, said = _wake(chip, bay.dumps(), 1300)
    assert bay.fault == 0 and _alarms(said) == []
    assert [kind for kind, _, _ in said] == [reading.PARKING]  # the state is told again


def test_a_chip_that_is_not_there_is_told_once_and_no_more():
    chip = _Chip(absent=True)
    bay, said = _wake(chip, None)
    assert bay.fault == FAULT_ABSENT and _alarms(said) == [reading.SENSOR_FAULT]
    bay, said = _wake(chip, bay.dumps(), 1300)
    assert bay.fault == FAULT_ABSENT and said == []


def test_the_board_is_woken_only_by_a_chip_that_will():
    for can_watch, watches, woken in ((True, True, True), (True, False, False), (False, True, False)):
        chip = _Chip(can_watch=can_watch, watches=watches)
        bay, _ = _wake(chip, None)
        assert bay.watches is woken
        assert chip.watched is woken
        assert chip.runs is can_watch  # what cannot watch rests
