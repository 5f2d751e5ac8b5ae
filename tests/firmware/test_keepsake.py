"""The record in flash: eight saves a day at most, and nothing that is not a record is believed."""

from fakes_nvs import FakeNvs

from derb.keepsake import SIZE, Keepsake
from derb.parking import FREE, OCCUPIED, Parking


class _Detector:
    def __init__(self, state=FREE, busy=False):
        self.state = state
        self.busy = busy

    def dumps(self):
        return b"record %d" % self.state


def test_what_was_saved_comes_back():
    keepsake = Keepsake(FakeNvs())
    assert keepsake.recall() == b""
    keepsake.offer(100, _Detector(OCCUPIED))
    assert keepsake.recall() == b"record 2" and keepsake.writes == 1


def test_a_day_of_restless_states_costs_four_writes_and_the_two_to_begin_with():
    keepsake = Keepsake(FakeNvs())
    for minute in range(24 * 60):
        keepsake.offer(minute * 60, _Detector(FREE if minute % 2 else OCCUPIED))
        keepsake = _slept(keepsake)
    assert keepsake.total <= 6, keepsake.total


def _slept(keepsake):
    after = Keepsake(keepsake._nvs, keepsake.dumps())
    after.total = getattr(keepsake, "total", 0) + keepsake.writes
    return after


def test_a_quiet_day_costs_a_write_now_and_then():
    keepsake = Keepsake(FakeNvs())
    for hour in range(24):
        keepsake.offer(hour * 3600, _Detector(FREE))
    assert 1 <= keepsake.writes <= 4, keepsake.writes


def test_what_moves_or_is_not_known_is_not_saved():
    keepsake = Keepsake(FakeNvs())
    keepsake.offer(0, _Detector(OCCUPIED, busy=True))
    keepsake.offer(0, _Detector(0))
    assert keepsake.writes == 0


def test_a_clock_that_went_back_and_garbage_do_no_harm():
    keepsake = Keepsake(FakeNvs())
    keepsake.offer(1000000, _Detector(OCCUPIED))
    keepsake.offer(5, _Detector(FREE))
    assert keepsake.recall() == b"record 1"
    for saved in (b"", b"x", bytes(SIZE - 1), b"\xff" * SIZE, bytes(SIZE + 1)):
        Keepsake(FakeNvs(), saved).offer(7, _Detector(OCCUPIED))


def test_a_car_that_stood_before_power_was_lost_still_stands():
    keepsake, parking = Keepsake(FakeNvs()), Parking()
    empty, taken = (29000, -300, 30000), (38000, -4300, 42000)
    fields = (
        [empty] * 60 + [(31000 + 1500 * i, 900 * i - 300, 30000 + 2500 * i) for i in range(5)] + [taken] * 60
    )
    for i, (x, y, z) in enumerate(fields):
        parking.step(1000, x + i * 37 % 90, y, z, 2000)
    assert parking.state == OCCUPIED
    keepsake.offer(0, parking)
    again = Parking(keepsake.recall(), lost_power=True)
    for i in range(20):
        again.step(1000, taken[0] + i * 37 % 90 + 300, taken[1], taken[2] - 200, 2000)
    assert again.state == OCCUPIED
    gone = Parking(keepsake.recall(), lost_power=True)
    for i in range(20):
        gone.step(1000, empty[0] + i * 37 % 90 + 300, empty[1], empty[2] - 200, 2000)
    assert gone.state == FREE
