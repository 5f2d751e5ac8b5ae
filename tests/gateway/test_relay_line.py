"""One relay's line without a line: who speaks first, what is repeated, how much is on the way."""

import struct

from derb_gateway import relay_messages as messages
from derb_gateway.relay_framing import Splitter, encode
from derb_gateway.relay_line import AGAIN_S, ASK_EVERY_S, SILENT_S, Ended, Event, Line
from derb_gateway.relay_messages import RelayUplink, Result, SelfDescription

NODE = "240ac4a1b2c3"
RELAY = "240ac4fffff1"
FRAME = b"\x20" * 40


def description(start: int = 1, room: int = 256, channel: int = 6) -> bytes:
    """What a relay says of itself."""
    head = struct.pack("<BB6sIIIBHB", 1, 1, bytes.fromhex(RELAY), start, 9, 100, channel, room, 4)
    return head + b"chip" + struct.pack("<16I", *range(16))


def uplink(number: int, packet: bytes = FRAME, held_ms: int = 0, rssi_dbm: int = -60) -> bytes:
    """A packet as a relay passes it on."""
    return struct.pack("<BBIb6s", 2, number, held_ms, rssi_dbm, bytes.fromhex(NODE)) + packet


class End:
    """The relay's end: says contents, and hears them."""

    def __init__(self, channel: int | None = None) -> None:
        self.line = Line(0.0, channel)
        self.given_up: list[Ended] = []

    def say(self, *contents: bytes, at_s: float = 0.0) -> list[Event]:
        return self.line.received(b"".join(map(encode, contents)), at_s)

    def hear(self, at_s: float) -> list[bytes]:
        raw, given_up = self.line.due(at_s)
        self.given_up += given_up
        return Splitter().feed(raw)

    def started(self) -> "End":
        self.say(description())
        self.hear(0.0)
        return self


def downlinks(contents: list[bytes]) -> list[bytes]:
    return [content for content in contents if content[0] == 0x82]


def test_it_says_nothing_before_the_relay_has_spoken() -> None:
    end = End()
    end.line.send(NODE, FRAME)
    assert end.hear(100.0) == []
    assert end.say(b"\x03\x01\x00") == []
    assert end.hear(101.0) == []
    (event,) = end.say(description())
    assert isinstance(event, SelfDescription)
    assert event.counters["strange"] == 1
    assert [content[0] for content in end.hear(102.0)] == [0x81, 0x82]


def test_it_asks_now_and_then_and_tells_the_channel() -> None:
    end = End(channel=11)
    end.say(description())
    assert end.hear(0.0) == [bytes([0x81, 11])]
    assert end.hear(ASK_EVERY_S - 0.1) == []
    assert end.hear(ASK_EVERY_S) == [bytes([0x81, 11])]


def test_an_uplink_is_told_once_and_taken_as_often_as_it_comes() -> None:
    end = End().started()
    (event,) = end.say(uplink(7, held_ms=250))
    assert event == RelayUplink(7, 250, -60, NODE, FRAME)
    assert end.hear(0.1) == [], "nobody took it yet"
    end.line.take(7)
    assert end.hear(0.2) == [bytes([0x83, 7])]
    assert end.say(uplink(7)) == []
    assert end.hear(0.3) == [bytes([0x83, 7])]
    assert end.line.counts["again_from_relay"] == 1


def test_numbers_come_round_again() -> None:
    end = End().started()
    for i in range(1000):
        assert len(end.say(uplink(i % 256))) == 1
        end.line.take(i % 256)
    assert sum(len(content) - 1 for content in end.hear(1.0)) == 1000


def test_a_relay_that_started_anew_may_use_its_numbers_again_and_gets_the_downlinks_once_more() -> None:
    end = End().started()
    end.say(uplink(0))
    end.line.take(0)
    end.line.send(NODE, FRAME)
    assert len(downlinks(end.hear(0.1))) == 1
    end.say(description(start=2))
    assert len(end.say(uplink(0))) == 1
    assert len(downlinks(end.hear(0.2))) == 1


def test_a_downlink_without_an_answer_comes_again_and_is_given_up_in_the_end() -> None:
    end = End().started()
    end.line.send(NODE, FRAME, 60)
    heard = [downlinks(end.hear(step * AGAIN_S)) for step in range(5)]
    assert [len(each) for each in heard] == [1, 1, 1, 0, 0]
    assert heard[0] == heard[1] == heard[2] == [messages.downlink(1, NODE, FRAME, 60)]
    assert end.given_up == [Ended(NODE, FRAME, None)]


def test_what_became_of_a_downlink_is_told_once() -> None:
    end = End().started()
    end.line.send(NODE, FRAME)
    end.hear(0.0)
    assert end.say(b"\x03\x01\x01") == [Ended(NODE, FRAME, Result.UNHEARD)]
    assert end.say(b"\x03\x01\x01") == []
    assert end.say(b"\x03\xc8\x00") == []


def test_no_more_is_on_the_way_than_the_relay_has_room_for() -> None:
    end = End().started()
    for _ in range(20):
        end.line.send(NODE, FRAME)
    first = downlinks(end.hear(0.0))
    size = len(encode(first[0]))
    assert len(first) == (256 - 32) // size
    end.say(bytes([3, first[0][1], 0]))
    assert len(downlinks(end.hear(0.1))) == 1


def test_even_the_longest_downlink_goes_one_at_a_time() -> None:
    end = End().started()
    for _ in range(3):
        end.line.send(NODE, b"\x20" * 240)
    for number in (1, 2, 3):
        (content,) = downlinks(end.hear(0.1))
        assert content[1] == number
        end.say(bytes([3, number, 0]))


def test_too_many_downlinks_cost_the_oldest() -> None:
    end = End().started()
    for i in range(1003):
        end.line.send(NODE, bytes([0x20, i % 256]) + bytes(12))
    assert end.line.counts["overflow"] == 3
    assert downlinks(end.hear(0.0))[0][11] == 3


def test_silence_is_noticed_and_garbage_is_silence() -> None:
    end = End().started()
    assert not end.line.silent(SILENT_S)
    end.line.received(b"\0garbage\0" * 10, SILENT_S)
    assert end.line.silent(SILENT_S + 0.1)
    assert end.line.counts["bad"] == 10
    end.say(b"\x7f\x00", at_s=SILENT_S)
    assert end.line.counts["odd"] == 1
    end.say(description(), at_s=SILENT_S + 0.2)
    assert not end.line.silent(SILENT_S + 0.3)
