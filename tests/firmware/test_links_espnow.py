"""A node finds a relay on whatever channel, stays with it while it answers, and never waits beyond its deadline."""

from derb.links import LinkError
from derb.links.espnow import EspNowLink
from fakes_bus import Clock
from fakes_radio import Hint, Radio, Relay, Station

NEAR = b"\x24\x0a\xc4\x00\x00\x01"
FAR = b"\x24\x0a\xc4\x00\x00\x02"
FRAME = b"\x21" + bytes(15)


class Place:
    """A node among relays; `link()` is a new wake."""

    def __init__(self, *relays, hint=b"", crosstalk=False, forbidden=()):
        self.clock = Clock()
        self.hint = Hint(hint)
        self.station = Station(forbidden)
        self.radio = Radio(self.clock, self.station, list(relays), crosstalk)

    def link(self, ms=15000):
        link = EspNowLink(self.station, self.radio, self.hint, lambda count: bytes(range(7, 7 + count)))
        self.deadline = self.clock.deadline(ms)
        link.open(self.deadline)
        return link

    def exchange(self, ms=15000):
        link = self.link(ms)
        link.send(FRAME)
        answer = link.receive(self.deadline)
        link.close()
        assert not self.radio.on and not self.station.on
        return answer


def refuses(action):
    try:
        action()
    except LinkError as e:
        return str(e)
    raise AssertionError("it did not fail")


def test_a_relay_is_found_on_every_channel():
    for channel in range(1, 14):
        place = Place(Relay(NEAR, channel))
        assert place.exchange() == b"\x20receipt for " + FRAME
        assert place.station.channel == channel


def test_the_next_wake_goes_straight_to_the_relay_that_answered():
    place = Place(Relay(NEAR, 9))
    place.exchange()
    place.station.tuned.clear()
    sent, began_us = place.radio.sent, place.clock.us
    assert place.exchange()
    assert place.station.tuned == [9] and place.radio.sent == sent + 1
    assert place.clock.us - began_us < 10_000
    assert place.hint.writes == 1, "flash is written only when something changed"


def test_a_relay_that_moved_to_another_channel_is_found_again_in_the_same_wake():
    relay = Relay(NEAR, 9)
    place = Place(relay)
    place.exchange()
    for channel in (3, 13, 1):
        relay.channel = channel
        assert place.exchange()
    assert place.hint.writes == 4


def test_any_garbage_in_the_place_of_the_hint_costs_a_search_and_nothing_else():
    for hint in (
        b"",
        b"\x00",
        bytes(13),
        b"\xff" * 13,
        NEAR + b"\x0e" + bytes(6),
        FAR + b"\x05" + bytes(6),
        bytes(16),
    ):
        assert Place(Relay(NEAR, 11), hint=hint).exchange()


def test_the_channel_is_the_one_that_the_relay_says_where_a_neighbouring_one_hears_it_too():
    for channel in range(1, 14):
        place = Place(Relay(NEAR, channel), crosstalk=True)
        assert place.exchange() and place.station.channel == channel


def test_the_strongest_of_several_relays_is_taken():
    place = Place(Relay(FAR, 1, rssi_dbm=-88), Relay(NEAR, 7, rssi_dbm=-70))
    place.exchange()
    assert place.hint.kept[:7] == NEAR + b"\x07"


def test_a_relay_without_a_gateway_is_taken_by_nobody():
    place = Place(Relay(FAR, 1, rssi_dbm=-40, gateway=False), Relay(NEAR, 13, rssi_dbm=-85))
    assert place.exchange() and place.hint.kept[:6] == NEAR
    assert refuses(Place(Relay(NEAR, 6, gateway=False)).link) == "no relay has a gateway"


def test_a_relay_that_lost_its_gateway_says_so_and_is_not_waited_for():
    relay = Relay(NEAR, 6, answers=[b"\x02\x00\x00\x00\x00\x06\x00"])
    place = Place(relay, hint=NEAR + b"\x06" + bytes(6))
    began_us = place.clock.us
    assert refuses(place.exchange) == "the relay has no gateway"
    assert place.clock.us - began_us < 20_000


def test_a_relay_that_takes_frames_and_gives_no_receipt_is_the_last_choice_next_time():
    silent = Relay(NEAR, 6, rssi_dbm=-30, answers=[])
    place = Place(silent, Relay(FAR, 6, rssi_dbm=-85))
    assert place.exchange() is None
    assert place.exchange() == b"\x20receipt for " + FRAME
    assert place.hint.kept[:6] == FAR
    alone = Place(Relay(NEAR, 6, answers=[]))
    assert alone.exchange() is None
    alone.radio.relays[0].answers = None
    assert alone.exchange(), "the only one is asked again, whatever it did"


def test_what_got_no_answer_is_sent_again_twice_and_then_given_up():
    relay = Relay(NEAR, 6, answers=[None, None, b"\x20late"])
    assert Place(relay).exchange() == b"\x20late" and relay.frames == [FRAME] * 3
    silent = Relay(NEAR, 6, answers=[])
    place = Place(silent)
    assert place.exchange() is None and len(silent.frames) == 3
    assert place.clock.us < 5_000_000, "the radio is not kept on for what does not come"


def test_nobody_there_ends_within_the_deadline():
    for ms in (2, 100, 2000, 15000):
        place = Place()
        assert refuses(lambda: place.link(ms)) == "no relay answers"
        assert place.clock.us <= (ms + 30) * 1000
    place = Place()
    refuses(place.link)
    assert place.clock.us < 1_000_000, "a whole search takes less than a second"


def test_a_flood_of_garbage_ends_with_the_deadline():
    class Flood(Relay):
        def hear(self, packet):
            return [b"\x02", b"\x01\x02", bytes(250), b"\x02" + bytes(6), b"\x00"] * 200

    place = Place(Flood(NEAR, 1))
    assert refuses(place.link) == "no relay answers"
    place = Place(Flood(NEAR, 6), hint=NEAR + b"\x06" + bytes(6))
    refused = refuses(place.exchange)
    assert refused == "the relay has no gateway" and place.clock.us < 16_000_000


def test_a_channel_that_is_not_allowed_here_is_passed_over():
    assert Place(Relay(NEAR, 3), forbidden=(12, 13)).exchange()
    place = Place(Relay(NEAR, 13), forbidden=(13,), crosstalk=True)
    assert "not allowed" in refuses(place.link)


def test_what_the_driver_says_is_a_failure_of_the_link():
    place = Place(Relay(NEAR, 6))
    link = place.link()
    place.radio.active(False)
    assert "ESP_ERR_ESPNOW_NOT_INIT" in refuses(lambda: link.send(FRAME))


def test_several_frames_and_their_repetition():
    relay = Relay(NEAR, 6, answers=[None, None, None, None, b"\x20all"])
    place = Place(relay)
    link = place.link()
    frames = [FRAME + bytes((i,)) for i in range(3)]
    for each in frames:
        link.send(each)
    assert link.receive(place.deadline) == b"\x20all"
    assert relay.frames == frames * 2


def test_the_signal_is_known_once_something_came():
    place = Place(Relay(NEAR, 6, rssi_dbm=-71), hint=NEAR + b"\x06" + bytes(6))
    link = place.link()
    assert link.rssi_dbm() == 0
    link.send(FRAME)
    link.receive(place.deadline)
    assert link.rssi_dbm() == -71
    link.close()


def test_a_relay_that_owes_nothing_may_be_silent():
    place = Place(Relay(NEAR, 6))
    link = place.link()
    link.send(FRAME)
    assert link.receive(place.deadline)
    began_us, writes = place.clock.us, place.hint.writes
    assert link.receive(place.clock.deadline(5000)) is None
    assert place.clock.us - began_us >= 5_000_000 and place.hint.writes == writes
