"""A container's wakes: what it pings, what it says."""

from derb import reading
from derb.config import ConfigError, checked
from derb.container import FAULT_ABSENT, FAULT_BLOCKED, Container
from derb.echoes import sound_mm_s

EMPTY, FULL = 1500, 250


class _Ranger:
    """Gives bursts in turn; the last one again and again."""

    def __init__(self, *bursts):
        self.bursts = list(bursts)
        self.asked = 0

    def pings(self, count):
        self.asked += 1
        burst = self.bursts.pop(0) if len(self.bursts) > 1 else self.bursts[0]
        assert len(burst) == count, (len(burst), count)
        return list(burst)


class _Config:
    empty_mm, full_mm, pings = EMPTY, FULL, 9


class _Deadline:
    def __init__(self, over=False):
        self._over = over

    def over(self):
        return self._over


def _at(mm):
    return [(mm + i % 5 - 2) * 2000000 // sound_mm_s(2000) for i in range(9)]


def _wakes(*bursts, config=_Config, saved=None, over=False, every_s=1800):
    """Return what was said at each wake, a sleep between any two, and the memory at the end."""
    said = []
    for number, burst in enumerate(bursts):
        container = Container(_Ranger(*burst), lambda: 2000, config, saved)
        said.append(container.sense(lambda: 1000 + number * every_s, _Deadline(over), False))
        saved = container.dumps()
    return said, saved


def _values(wake):
    return [int.from_bytes(payload, "little") for kind, payload, _ in wake if kind == reading.LEVEL]


def _alarms(wake):
    return [payload[0] for kind, payload, _ in wake if kind == reading.ALARM]


def test_each_wake_says_one_level_or_its_reason():
    said, _ = _wakes([_at(900)], [[-1] * 9], [_at(2400)], [_at(100)])
    assert abs(_values(said[0])[0] - 900) <= 3
    assert [_values(wake) for wake in said[1:]] == [[reading.NO_ECHO], [reading.TOO_FAR], [reading.TOO_CLOSE]]


def test_the_first_reading_is_urgent_and_others_are_not():
    container = Container(_Ranger(_at(900)), lambda: 2000, _Config, None)
    assert container.sense(lambda: 0, _Deadline(), True)[0][2]
    assert not container.sense(lambda: 0, _Deadline(), False)[0][2]


def test_a_reading_in_doubt_is_taken_again_at_once():
    ranger = _Ranger(_at(1450), _at(500), _at(500))
    container = Container(ranger, lambda: 2000, _Config, None)
    container.sense(lambda: 0, _Deadline(), False)
    assert ranger.asked == 1
    said = container.sense(lambda: 0, _Deadline(), False)
    assert ranger.asked == 3
    assert abs(_values(said)[0] - 500) <= 3


def test_no_second_burst_when_time_is_over():
    said, _ = _wakes([_at(1450)], [_at(500), _at(500)], over=True)
    assert _values(said[1]) == [reading.UNSTABLE]


def test_an_emptying_is_said_at_once_when_both_bursts_show_it():
    said, _ = _wakes([_at(500)], [_at(1450), _at(1452)], [_at(1450)])
    assert [_alarms(wake) for wake in said] == [[], [reading.COLLECTED], []]
    fall = said[1][1][1][1:]
    assert 940 * 2 <= fall[0] % 128 + fall[1] * 128 <= 960 * 2


def test_full_is_said_once_and_again_only_after_an_emptying():
    said, _ = _wakes(
        [_at(400)], [_at(260)], [_at(258)], [_at(262)], [_at(1450), _at(1450)], [_at(400), _at(400)]
    )
    assert [_alarms(wake) for wake in said] == [[], [], [reading.FULL], [], [reading.COLLECTED], []]
    assert said[2][1][2]


def test_refuse_in_the_blind_zone_of_a_high_container_is_full_and_no_fault():
    said, saved = _wakes([_at(400)], *[[_at(150)]] * 5)
    assert [_alarms(wake) for wake in said] == [[], [], [reading.FULL], [], [], []]
    assert Container(_Ranger(_at(150)), lambda: 2000, _Config, saved).fault == 0


def test_a_bag_on_the_sensor_of_a_low_container_is_a_fault_and_not_full():
    said, saved = _wakes([_at(1300)], *[[_at(150)]] * 5)
    assert [_alarms(wake) for wake in said] == [[], [], [], [reading.SENSOR_FAULT], [], []]
    assert Container(_Ranger(_at(150)), lambda: 2000, _Config, saved).fault == FAULT_BLOCKED


def test_an_unplugged_sensor_is_a_fault_after_three_wakes_until_it_is_mended():
    said, saved = _wakes([_at(1300)], *[[[-1] * 9]] * 4)
    assert [_alarms(wake) for wake in said] == [[], [], [], [reading.SENSOR_FAULT], []]
    container = Container(_Ranger(_at(1300)), lambda: 2000, _Config, saved)
    assert container.fault == FAULT_ABSENT
    container.sense(lambda: 0, _Deadline(), False)
    assert container.fault == 0


def test_silence_of_a_living_sensor_is_no_fault():
    said, _ = _wakes([_at(1300)], *[[[-2] * 9]] * 5)
    assert [_alarms(wake) for wake in said] == [[]] * 6


def test_the_containers_own_table_decides_what_full_is():
    class Config(_Config):
        fill_table = "250:80,1500:0"

    said, _ = _wakes([_at(400)], *[[_at(260)]] * 4, config=Config)
    assert [_alarms(wake) for wake in said] == [[]] * 5


def test_the_blind_zone_and_the_reach_are_those_of_the_ranger():
    class Config(_Config):
        empty_mm = 5500

    for name, near, far in (("hcsr04", False, True), ("a02yyuw", True, False), ("maxbotix", False, True)):
        Config.ranger = name
        for mm, heard in ((150, near), (4800, far)):
            container = Container(_Ranger(_at(mm)), lambda: 2000, Config, None)
            (value,) = _values(container.sense(lambda: 0, _Deadline(), False))
            assert (abs(value - mm) <= 3) == heard, (name, mm, value)


def test_damaged_memory_is_a_fresh_start():
    _, saved = _wakes([_at(400)], [_at(260)])
    fresh = Container(_Ranger(_at(900)), lambda: 2000, _Config, None).dumps()
    for garbage in (b"", b"\x00", bytes(len(saved)), b"\xff" * len(saved), saved[:-1], saved + b"x"):
        container = Container(_Ranger(_at(900)), lambda: 2000, _Config, garbage)
        container.sense(lambda: 0, _Deadline(), False)
        assert container.fault == 0
    assert Container(_Ranger(_at(900)), lambda: 2000, _Config, b"\xff" * len(saved)).dumps() == fresh


def test_what_may_have_happened_between_readings_is_a_matter_of_time():
    bursts = [_at(900)], [_at(280)] * 2
    said, _ = _wakes(*bursts, over=True, every_s=1800)
    assert _values(said[1]) == [reading.UNSTABLE], "half the depth in half an hour"
    said, _ = _wakes(*bursts, over=True, every_s=14400)
    assert abs(_values(said[1])[0] - 280) <= 3, "half the depth in four hours"


def test_a_table_that_cannot_be_is_refused_with_the_configuration():
    assert checked(fill_table="250:100,900:30.5,1500:0").fill_table
    for text in (
        "250",
        "250:100",
        "a:1,b:2",
        "250:30,900:90",
        "250:100.55,900:1",
        "-5:100,900:1",
        ",",
        "250:101,900:0",
    ):
        try:
            checked(fill_table=text)
        except ConfigError as e:
            assert "fill_table" in str(e)
        else:
            raise AssertionError(text)
