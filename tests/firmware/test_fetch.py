"""Chunks over a link that loses, doubles, delays and forges: in order, once, and asked for again only where they lack."""

from derb import chunks, frame, reading
from derb.fetch import Fetcher
from derb.links import LinkError

KEY = bytes(range(32))
NODE = b"\x24\x0a\xc4\xa1\xb2\xc3"
CONTENT = bytes(range(251)) * 5
VERSION = 203


class Board:
    key = KEY
    id = NODE
    fed = 0

    def feed(self):
        self.fed += 1


class Deadline:
    def __init__(self, asks=99):
        self.asks = asks

    def over(self):
        self.asks -= 1
        return self.asks < 0

    def within(self, ms):
        return self


class Sender:
    def __init__(self):
        self.taken = []

    def take(self, payload):
        self.taken.append(payload)


def chunk(offset, content, version=VERSION, file=1, key=KEY):
    out = bytearray((0x2F,))
    for number in (version, file, offset):
        reading.put_varint(out, number)
    out.extend(content)
    return bytes(out + frame.tag(key, b"derb1d", NODE, out))


class Link:
    """Answers asks; `spoil(number, packet)` returns what of a packet comes, number counting from 1."""

    window = chunks.WINDOW

    def __init__(self, spoil=lambda number, packet: [packet]):
        self.asked = []
        self._spoil = spoil
        self._sent = 0
        self._air = []

    def send(self, packed):
        assert len(packed) >= 13
        version, at = frame.get_varint(packed, 1)
        file, at = frame.get_varint(packed, at)
        offset, at = frame.get_varint(packed, at)
        self.asked.append((offset, packed[at]))
        for i in range(packed[at]):
            begin = offset + i * chunks.CHUNK
            content = CONTENT[begin : begin + chunks.CHUNK]
            if content or i == 0:
                self._sent += 1
                self._air.extend(self._spoil(self._sent, chunk(begin, content)))

    def receive(self, deadline):
        return self._air.pop(0) if self._air else None


def _all(link, deadline=None, sender=None):
    fetcher = Fetcher(Board(), link, sender or Sender(), VERSION, deadline or Deadline())
    got = b""
    while len(got) < len(CONTENT):
        pieces = b"".join(fetcher.pieces(1, len(got), len(CONTENT)))
        assert pieces
        got += pieces
    assert got == CONTENT
    return fetcher


def test_all_comes_in_windows():
    link = Link()
    assert _all(link).refused == 0
    assert link.asked == [(0, 6), (1152, 1)]


def test_only_what_was_lost_is_asked_for_again():
    for lost in range(1, 8):
        link = Link(lambda number, packet: [] if number == lost else [packet])
        _all(link)
        assert sum(count for _, count in link.asked) <= 7 + 6, (lost, link.asked)
        again = [ask for ask in link.asked if ask not in ((0, 6), (1152, 1))]
        if 1 < lost < 6:
            assert again == [((lost - 1) * 192, 1)], (lost, link.asked)


def test_doubled_and_disordered_chunks_do_no_harm():
    _all(Link(lambda number, packet: [packet, packet]))
    held = []

    def swap(number, packet):
        held.append(packet)
        return [held.pop(), held.pop()] if len(held) == 2 else []

    try:
        _all(Link(swap))
    except LinkError:
        pass  # the last one is held for ever


def test_what_is_forged_or_not_asked_for_is_left_aside_and_counted():
    def forge(number, packet):
        bad = bytearray(packet)
        bad[6] ^= 1
        return [
            bytes(bad),
            chunk(0, b"x" * 192, key=bytes(32)),
            chunk(0, b"x" * 192, version=202),
            chunk(0, b"x" * 192, file=2),
            packet[:9],
            packet,
        ]

    assert _all(Link(forge)).refused >= 5 * 7


def test_a_downlink_between_chunks_goes_where_downlinks_go():
    sender = Sender()
    _all(Link(lambda number, packet: [b"\x20 a downlink", packet]), sender=sender)
    assert len(sender.taken) == 7


def test_silence_ends_as_a_link_error_and_time_that_is_up_too():
    for link, deadline in ((Link(lambda number, packet: []), Deadline()), (Link(), Deadline(asks=0))):
        fetcher = Fetcher(Board(), link, Sender(), VERSION, deadline)
        try:
            list(fetcher.pieces(1, 0, len(CONTENT)))
            raise AssertionError("it ended well")
        except LinkError:
            assert len(link.asked) <= 3


def test_a_gateway_without_the_file_says_so_with_nothing():
    fetcher = Fetcher(Board(), Link(lambda number, packet: [chunk(0, b"")]), Sender(), VERSION, Deadline())
    assert list(fetcher.pieces(1, 0, 500)) == []
