"""One connection: everything is sent once, receipts empty the outbox, and only a fresh receipt brings the time."""

import struct

from derb import frame, reading
from derb.links import LinkError
from derb.sender import Sender
from test_outbox import LEVEL, PARKING, Board

KEY = bytes(range(32))
NODE = b"\x24\x0a\xc4\xa1\xb2\xc3"


class Deadline:
    def over(self):
        return False

    def left(self):
        return 1000


def downlink(unix_s, *ranges, head=b"\x30"):
    out = bytearray(head + struct.pack("<I", unix_s) + b"\x00")
    reading.put_varint(out, len(ranges))
    for boot, first, last in ranges:
        reading.put_varint(out, boot)
        reading.put_varint(out, last)
        reading.put_varint(out, last - first)
    return bytes(out + frame.tag(KEY, b"derb1d", NODE, out))


class Link:
    """A broker with a gateway behind it that answers every frame, unless told otherwise."""

    def __init__(self, unix_s=1795000000, retained=None, answers=True, head=b"\x30"):
        self.frames = []
        self._head = head
        self.unix_s = unix_s
        self._waiting = [] if retained is None else [retained]
        self._answers = answers
        self._downlinks = []

    def send(self, packed):
        self.frames.append(packed)
        boot, at = frame.get_varint(packed, 1)
        last, _ = frame.get_varint(packed, at)
        if self._answers:
            self._downlinks.append(
                downlink(self.unix_s, (boot, last, last), (boot, 0, last), head=self._head)
            )

    def waiting(self):
        found, self._waiting = self._waiting, []
        return found

    def receive(self, deadline):
        return self._downlinks.pop(0) if self._downlinks else None


def _sender(board, outbox, words=None, new=(0, 0)):
    def log(*said):
        if words is not None:
            words.append(said)

    return Sender(NODE, KEY, outbox, board.clock, log, new)


def test_every_reading_is_sent_once_and_its_receipt_takes_it_out():
    board = Board()
    outbox = board.wake()
    words = []
    for i in range(200):
        outbox.put(PARKING if i % 50 else LEVEL, b"\x40\x01")
    link = Link()
    assert _sender(board, outbox, words).run(link, Deadline())
    assert len(outbox) == 0
    assert sum(said[3] for said in words if said[0] == "sent") == 200
    assert len(link.frames) < 12 and all(len(packed) <= 240 for packed in link.frames)


def test_an_empty_outbox_sends_nothing():
    board = Board()
    link = Link()
    assert _sender(board, board.wake()).run(link, Deadline())
    assert link.frames == []


def test_without_a_receipt_everything_stays():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"\x40\x01")
    try:
        _sender(board, outbox).run(Link(answers=False), Deadline())
    except LinkError:
        assert len(outbox) == 1 and not board.clock.known
        return
    raise AssertionError("took silence for a receipt")


def test_an_old_retained_downlink_gives_receipts_but_no_time():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"\x40\x01")
    assert _sender(board, outbox).run(
        Link(retained=downlink(1600000000, (1, 0, 0)), answers=False), Deadline()
    )
    assert len(outbox) == 0 and not board.clock.known


def test_a_fresh_receipt_brings_the_time():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"\x40\x01")
    assert _sender(board, outbox).run(Link(unix_s=1795000000, retained=downlink(1600000000)), Deadline())
    assert board.clock.to_unix(board.seconds.now) == 1795000000


def test_a_reading_from_before_a_loss_of_power_waits_for_the_time_and_then_has_its_true_age():
    board = Board()
    outbox = board.wake()
    board.clock.learn(1795000000)
    outbox.put(PARKING, b"\x40\x01")
    outbox.settle()
    board.seconds.now = 40
    outbox = board.wake()
    outbox.put(PARKING, b"\x80\x01")
    link = Link(unix_s=1795003600)
    assert _sender(board, outbox).run(link, Deadline())
    heads = [packed[0] for packed in link.frames]
    assert heads == [0x21, 0x21], "this boot's first, then the old one, neither with a bound"
    assert frame.get_varint(link.frames[1], 3) == (3600, 5)


def test_a_forged_or_garbled_downlink_changes_nothing():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"\x40\x01")
    good = downlink(1795000000, (1, 0, 0))
    for bad in (b"", b"\x00", good[:-1], good[:-1] + b"\x00\x00", bytes(240), bytes(300)):
        sender = _sender(board, outbox)
        try:
            sender.run(Link(retained=bad, answers=False), Deadline())
        except LinkError:
            assert sender.refused == 1 and len(outbox) == 1
            continue
        raise AssertionError("took a forged receipt")


def test_no_time_from_a_receipt_for_what_may_have_been_transmitted_before():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"\x40\x01")
    assert _sender(board, outbox, new=(1, 1)).run(Link(), Deadline())
    assert not board.clock.known


def test_no_time_from_a_gateway_that_does_not_know_it():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"\x40\x01")
    assert _sender(board, outbox).run(Link(head=b"\x20"), Deadline())
    assert len(outbox) == 0 and not board.clock.known


def test_more_holes_than_a_receipt_has_ranges_are_no_obstacle():
    board = Board()
    for _ in range(12):
        outbox = board.wake()
        outbox.put(PARKING, b"\x40\x01")
        outbox.settle()
        outbox.put(LEVEL, b"\x40\x01")
        outbox.put(PARKING, b"\x40\x01")
        outbox.settle()
    outbox = board.wake()
    assert len(outbox) == 36 and len(board.segments.index()) == 1
    assert _sender(board, outbox).run(Link(), Deadline())
    assert len(outbox) == 0
