"""Two ways out: the second stands in, a dead first one is tried ever more rarely, and nothing is ever given up."""

from derb.links import LinkError
from derb.links.ways import Ways
from fakes_bus import Clock


class Link:
    """Fails where it is told to; notes the time it was given."""

    def __init__(self, fails=""):
        self.fails = fails
        self.opened = self.closed = 0
        self.given_ms = None
        self.frames = []

    def open(self, deadline):
        self.opened += 1
        self.given_ms = deadline.left()
        self._act("open")

    def send(self, frame):
        self._act("send")
        self.frames.append(frame)

    def receive(self, deadline):
        return b"downlink"

    def waiting(self):
        return []

    def rssi_dbm(self):
        self._act("rssi")
        return -200

    def close(self):
        self.closed += 1

    def _act(self, what):
        if what == "rssi" and self.fails == "rssi":
            raise OSError("Wifi Not Connected")
        if what == self.fails:
            raise LinkError(what)


def wake(first, second, detours=0, failures=0):
    clock = Clock()
    ways = Ways([lambda: first, lambda: second], detours, failures)
    ways.open(clock.deadline(10000))
    ways.send(b"frame")
    assert ways.receive(clock.deadline(1000)) == b"downlink" and ways.waiting() == []
    ways.close()
    return ways


def test_the_first_way_is_taken_while_it_works():
    first, second = Link(), Link()
    ways = wake(first, second)
    assert first.frames == [b"frame"] and second.opened == 0 and ways.detours == 0
    assert first.given_ms == 5000, "the other way would need its share"
    assert first.closed == 1 and ways.rssi_dbm == -128


def test_the_second_stands_in_for_one_that_cannot_be_opened_or_hears_nothing():
    for fails in ("open", "send"):
        first, second = Link(fails), Link()
        ways = wake(first, second)
        assert second.frames == [b"frame"] and ways.detours == 1
        assert first.closed == 1 and second.closed == 1


def test_after_the_first_frame_there_is_no_other_way_in_this_wake():
    first, second = Link(), Link()
    ways = Ways([lambda: first, lambda: second], 0, 0)
    ways.open(Clock().deadline(10000))
    ways.send(b"one")
    first.fails = "send"
    try:
        ways.send(b"two")
    except LinkError:
        assert second.opened == 0, "what was heard already would be heard twice"
        return
    raise AssertionError("it did not fail")


def test_both_dead_says_so():
    for fails in ("open", "send"):
        first, second = Link("open"), Link(fails)
        try:
            wake(first, second)
        except LinkError as e:
            assert str(e) == fails
            continue
        raise AssertionError("it did not fail")


def test_a_way_that_stays_dead_is_tried_first_ever_more_rarely_but_for_ever():
    detours, tried = 0, []
    for number in range(1000):
        first, second = Link("open"), Link()
        detours = wake(first, second, detours).detours
        if first.opened:
            tried.append(number)
    assert tried[:7] == [0, 1, 2, 4, 8, 16, 32] and len(tried) < 30
    assert max(b - a for a, b in zip(tried, tried[1:])) <= 64


def test_a_first_way_that_works_again_is_first_again():
    detours = 16
    assert wake(Link(), Link(), detours).detours == 0


def test_the_order_turns_when_a_wake_got_no_receipt():
    for failures, order in ((0, 0), (1, 1), (2, 0), (3, 1)):
        links = [Link(), Link()]
        wake(links[0], links[1], 0, failures)
        assert [link.opened for link in links] == [1 - order, order]


def test_one_way_alone_has_all_the_time():
    link = Link()
    ways = Ways([lambda: link], 0, 3)
    ways.open(Clock().deadline(10000))
    ways.send(b"frame")
    assert link.given_ms == 10000 and ways.detours == 0


def test_a_signal_that_cannot_be_read_stays_as_it_was():
    assert wake(Link("rssi"), Link()).rssi_dbm == 0
