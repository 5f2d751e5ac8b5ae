"""A relay's turns with a played radio and a played line: what is answered, kept, held, and never done by itself."""

import struct

from relay import framing, messages
from relay.relay import Relay
from test_relay_queues import add, diff

INTERPRETERS = ("unix64",)

NODE = b"\x24\x0a\xc4\xa1\xb2\xc3"
OTHER = b"\x24\x0a\xc4\xa1\xb2\xc4"
IDENTITY = b"\x24\x0a\xc4\xff\xff\xf1"
FRAME = b"\x21" + bytes(20)
DOWN = b"\x20" + bytes(20)


class Clock:
    """time.ticks_ms for relay.relay."""

    def __init__(self):
        self.ms = (1 << 30) - 3000  # the ticks wrap in the middle of a test

    def ticks_add(self, ticks, ms):
        return add(ticks, ms)

    def ticks_diff(self, end, start):
        return diff(end, start)

    def ticks_ms(self):
        return self.ms & ((1 << 30) - 1)


class Radio:
    channel = 6
    vanished = restarts = 0

    def __init__(self):
        self.coming = []
        self.sent = []
        self.hears = True
        self.broken = False

    def receive(self):
        return self.coming.pop(0) if self.coming else None

    def send(self, node, packet):
        if self.broken:
            raise OSError(-12390)
        self.sent.append((node, packet))
        return self.hears

    def tune(self, channel):
        if channel == 13:
            raise OSError(-1)
        self.channel = channel

    def dropped(self):
        return 0


class Port:
    def __init__(self):
        self.coming = b""
        self.said = b""

    def wait(self, ms):
        assert 0 < ms <= 20
        return bool(self.coming)

    def read(self):
        came, self.coming = self.coming, b""
        return came

    def write(self, coded):
        self.said += coded


class Board:
    def __init__(self):
        import relay.relay

        self.clock = relay.relay.time = Clock()
        self.radio, self.port, self.channels = Radio(), Port(), []
        self.relay = Relay(IDENTITY, "chip", b"\x01\x02\x03\x04", self.radio, self.port, self.channels.append)

    def turn(self, *contents, air=(), ms=10):
        """One turn later: what it said on the line, without what it says of itself."""
        self.clock.ms += ms
        self.radio.coming.extend(air)
        self.port.coming += b"".join([framing.encode(each) for each in contents])
        self.relay.turn()
        self.relay.turn()
        said, self.port.said = framing.Splitter().feed(self.port.said), b""
        self.described = [each for each in said if each[0] == messages.SELF]
        return [each for each in said if each[0] != messages.SELF]

    def counters(self):
        self.turn(b"\x81\x00")
        return struct.unpack("<16I", self.described[-1][-64:])


def down(number, frame=DOWN, hold_s=0, node=NODE):
    return struct.pack("<BBH", 0x82, number, hold_s) + node + frame


def test_a_frame_is_passed_on_and_nothing_is_said_to_the_node():
    board = Board()
    board.turn(b"\x81\x00")
    assert board.turn(air=[(NODE, -70, FRAME)]) == [messages.uplink(0, 0, -70, NODE, FRAME)]
    assert board.radio.sent == [], "only the gateway gives receipts"
    board.turn(b"\x83\x00")
    assert board.turn(ms=1500) == []


def test_what_is_not_taken_is_written_again_and_says_its_age():
    board = Board()
    board.turn(b"\x81\x00")
    board.turn(air=[(NODE, -70, FRAME)])
    assert board.turn(ms=1000) == [messages.uplink(0, 1000, -70, NODE, FRAME)]


def test_without_a_gateway_frames_are_kept_and_the_node_is_told():
    board = Board()
    assert board.turn(air=[(NODE, -70, FRAME)]) == []
    assert board.radio.sent == [(NODE, b"\x02\x00\x00\x00\x00\x06\x00")]
    assert board.turn(b"\x81\x00", ms=60000) == [messages.uplink(0, 60000, -70, NODE, FRAME)]


def test_a_gateway_that_fell_silent_is_none():
    board = Board()
    board.turn(b"\x81\x00")
    board.turn(ms=15000)
    board.turn(air=[(NODE, -70, FRAME)])
    assert board.radio.sent[-1][1][-1] == 0


def test_a_probe_is_answered_with_the_truth_and_not_without_end():
    board = Board()
    probe = (NODE, -70, b"\x01abcd")
    board.turn(air=[probe])
    assert board.radio.sent == [(NODE, b"\x02abcd\x06\x00")]
    board.turn(b"\x81\x00")
    board.turn(air=[probe])
    assert board.radio.sent[-1] == (NODE, b"\x02abcd\x06\x01")
    board.radio.sent.clear()
    for _ in range(20):
        board.turn(air=[probe] * 10, ms=1)
    assert len(board.radio.sent) <= 20
    board.turn(ms=1000)
    board.turn(air=[probe])
    assert board.radio.sent[-1] == (NODE, b"\x02abcd\x06\x01")


def test_what_is_neither_frame_nor_probe_is_dropped_and_counted():
    board = Board()
    board.turn(b"\x81\x00")
    strange = [b"\x01abc", b"\x02" + bytes(6), b"\x1f" * 20, b"\x21" * 12, b"\x00" * 250]
    assert board.turn(air=[(NODE, -70, each) for each in strange]) == []
    assert board.counters()[1] == 5


def test_a_downlink_is_sent_and_its_end_told():
    board = Board()
    assert board.turn(down(9)) == [b"\x03\x09\x00"]
    assert board.radio.sent == [(NODE, DOWN)]
    board.radio.hears = False
    assert board.turn(down(10)) == [b"\x03\x0a\x01"]
    board.radio.broken = True
    assert board.turn(down(11)) == [b"\x03\x0b\x04"]


def test_a_downlink_that_comes_again_is_answered_and_not_sent_again():
    board = Board()
    for _ in range(3):
        assert board.turn(down(9)) == [b"\x03\x09\x00"]
    assert len(board.radio.sent) == 1
    assert board.turn(down(9, frame=DOWN + b"x")) == [b"\x03\x09\x00"]
    assert len(board.radio.sent) == 2


def test_a_downlink_is_held_for_a_sleeping_node_only_if_the_gateway_says_so():
    board = Board()
    board.radio.hears = False
    assert board.turn(down(1)) == [b"\x03\x01\x01"]
    board.radio.sent.clear()
    board.turn(air=[(NODE, -70, FRAME)])
    assert board.radio.sent == []
    board.radio.hears = False
    assert board.turn(down(2, hold_s=60)) == [b"\x03\x02\x02"]
    board.radio.hears = True
    board.radio.sent.clear()
    board.turn(air=[(OTHER, -70, FRAME)], ms=1000)
    assert board.radio.sent == []
    board.turn(air=[(NODE, -70, FRAME)], ms=1000)
    assert board.radio.sent == [(NODE, DOWN)]
    board.turn(air=[(NODE, -70, FRAME)], ms=1000)
    assert len(board.radio.sent) == 1


def test_what_is_held_has_room_and_an_end_and_gives_way_to_what_is_newer():
    board = Board()
    board.radio.hears = False
    for i in range(64):
        assert board.turn(down(i, hold_s=600, node=NODE[:5] + bytes((i,)))) == [bytes((3, i, 2))]
    assert board.turn(down(64, hold_s=600, node=NODE[:5] + b"\xff")) == [b"\x03\x40\x03"]
    board.radio.hears = True
    board.turn(down(65, node=NODE[:5] + b"\x05"))
    board.radio.sent.clear()
    board.turn(b"\x81\x00", air=[(NODE[:5] + b"\x05", -70, FRAME)])
    assert board.radio.sent == [], "the newer one took its place"
    board.turn(b"\x81\x00", ms=600000)
    board.turn(b"\x81\x00", air=[(NODE[:5] + b"\x06", -70, FRAME)])
    assert not [packet for _, packet in board.radio.sent if packet == DOWN]


def test_the_channel_is_the_gateways_to_say_and_is_kept():
    board = Board()
    board.turn(b"\x81\x0b")
    board.turn(b"\x81\x0b")
    board.turn(b"\x81\x00")
    assert board.radio.channel == 11 and board.channels == [11]
    board.turn(b"\x81\x0d")
    assert board.radio.channel == 11 and board.channels == [11]


def test_garbage_on_the_line_is_counted_and_answered_by_nothing():
    board = Board()
    board.port.coming = b"\x00\x03\x03\x03\x00" + bytes(range(1, 255)) * 9 + b"\x00"
    assert board.turn(b"\x55\x01\x02", b"\x82\x01") == []
    counters = board.counters()
    assert counters[10] == 2 and counters[11] == 2 and board.radio.sent == []


def test_it_speaks_of_itself_at_once_and_now_and_then():
    board = Board()
    board.turn()
    assert len(board.described) == 1
    times = 0
    for _ in range(100):
        board.turn(ms=100)
        times += len(board.described)
    assert times in (4, 5)
    board.turn(b"\x81\x00")
    assert len(board.described) == 1
