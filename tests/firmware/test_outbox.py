"""The outbox: what was put comes out until a receipt names it, through sleep, loss of power and full flash."""

import os

from derb.clock import Clock
from derb.memory import MAX_RECORD, Memory
from derb.outbox import MAX_SEQUENCE, RAM_BYTES, Outbox
from derb.segments import SEGMENT_BYTES, SEGMENTS, Segments

HEAP_KB = 2048  # for lists of all that waits on flash, which need it in one piece

PARKING, LEVEL = 1, 2


class Seconds:
    def __init__(self):
        self.now = 1000

    def __call__(self):
        return self.now


class Rtc:
    def __init__(self):
        self.kept = b""

    def memory(self, record=None):
        if record is None:
            return self.kept
        if len(record) > 2048:
            raise ValueError("buffer too long")
        self.kept = bytes(record)


def _empty_folder():
    folder = "outbox_under_test"
    try:
        for name in os.listdir(folder):
            os.remove(folder + "/" + name)
    except OSError:
        os.mkdir(folder)
    return folder


class Board:
    """What outlives an Outbox: files, boot number, seconds."""

    def __init__(self):
        self.folder = _empty_folder()
        self.boots = 0
        self.seconds = Seconds()

    def take_boot(self):
        self.boots += 1
        return self.boots

    def wake(self, record=None, unix_at_zero=0):
        self.segments = Segments(self.folder)
        self.clock = Clock(self.seconds, unix_at_zero)
        outbox = Outbox(lambda: self.segments, self.clock, self.take_boot)
        if record is None or not outbox.restore(record):
            outbox.start()
        return outbox


def _waiting(outbox):
    found = []
    for boot, kind, run, _, _ in outbox.batches():
        found.extend((boot, reading[0], kind, reading[2]) for reading in run)
    return found


def test_a_reading_survives_sleep():
    board = Board()
    outbox = board.wake()
    assert outbox.put(PARKING, b"ab") == (1, 0)
    assert outbox.put(LEVEL, b"cd") == (1, 1)
    again = board.wake(outbox.dumps())
    assert _waiting(again) == [(1, 0, PARKING, b"ab"), (1, 1, LEVEL, b"cd")]
    assert again.put(LEVEL, b"ef") == (1, 2)
    assert len(again) == 3


def test_what_settled_survives_loss_of_power_and_nothing_is_written_twice():
    board = Board()
    outbox = board.wake()
    for i in range(5):
        outbox.put(PARKING, bytes((i, 0)))
    assert outbox.settle() and len(outbox.settled) == 5
    assert outbox.settle()
    assert board.segments.writes == 1
    after = board.wake()
    assert after.boot == 2
    assert [entry[:2] for entry in _waiting(after)] == [(1, i) for i in range(5)]


def test_only_a_receipt_takes_a_reading_out():
    board = Board()
    outbox = board.wake()
    for i in range(6):
        outbox.put(PARKING, bytes((i, 0)))
    assert outbox.take_receipts([(2, 0, 5), (1, 7, 9)]) == []
    assert outbox.take_receipts([(1, 0, 1), (1, 4, 4)]) == [(1, 0), (1, 1), (1, 4)]
    assert [entry[1] for entry in _waiting(outbox)] == [2, 3, 5]
    outbox.settle()
    outbox.take_receipts([(1, 2, 2)])
    assert len(outbox) == 3, "a segment goes as a whole"
    outbox.take_receipts([(1, 0, 5)])
    assert len(outbox) == 0 and os.listdir(board.folder) == []


def test_more_than_rtc_memory_holds_goes_to_flash_by_itself():
    board = Board()
    outbox = board.wake()
    for i in range(300):
        outbox.put(LEVEL, bytes((i & 255, 1)))
        assert len(outbox.dumps()) <= RAM_BYTES + 16 < MAX_RECORD
    assert [entry[1] for entry in _waiting(outbox)] == list(range(300))
    for name in os.listdir(board.folder):
        assert os.stat(board.folder + "/" + name)[6] <= SEGMENT_BYTES


def test_full_flash_sheds_old_levels_before_any_parking_event_and_counts():
    board = Board()
    outbox = board.wake()
    for _ in range(60):
        outbox.put(PARKING, b"pp")
    outbox.settle()
    outbox.start()
    total = 60
    while outbox.shed == 0:
        outbox.put(LEVEL, b"ll")
        total += 1
    for _ in range(500):
        outbox.put(LEVEL, b"ll")
        total += 1
    left = _waiting(outbox)
    assert len([1 for entry in left if entry[2] == PARKING]) == 60
    assert len(left) + outbox.shed == total
    assert len(os.listdir(board.folder)) <= SEGMENTS


def test_many_short_lives_share_the_flash():
    board = Board()
    for _ in range(100):
        outbox = board.wake()
        outbox.put(PARKING, b"pp")
        outbox.settle()
    assert outbox.shed == 0 and len(outbox) == 100
    assert len(os.listdir(board.folder)) == 2
    assert [entry[:2] for entry in _waiting(board.wake())] == [(i, 0) for i in range(1, 101)]


class Refusing(Segments):
    def append(self, entries):
        raise OSError(5)


def test_a_write_that_fails_sheds_nothing():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"pp")
    outbox.settle()
    refusing = Refusing(board.folder)
    outbox = Outbox(lambda: refusing, board.clock, board.take_boot)
    outbox.start()
    outbox.put(PARKING, b"qq")
    assert not outbox.settle() and outbox.settled == [], "said to be safe what is not"
    assert outbox.shed == 0 and len(outbox) == 2 and outbox.flash_errors


def test_the_sequence_turns_over_into_a_new_boot():
    board = Board()
    outbox = board.wake()
    outbox.next_sequence = MAX_SEQUENCE
    assert outbox.put(PARKING, b"ab") == (1, MAX_SEQUENCE)
    assert outbox.put(PARKING, b"cd") == (2, 0)
    assert [entry[:2] for entry in _waiting(outbox)] == [(1, MAX_SEQUENCE), (2, 0)]


def _ages(outbox):
    found = []
    for boot, _, run, age_s, is_bound in outbox.batches():
        found.extend((boot, reading[0], age_s(reading[1]), is_bound) for reading in run)
    return found


def test_ages_go_on_through_sleep_and_flash():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"ab")
    outbox.settle()
    board.seconds.now += 3600
    outbox = board.wake(outbox.dumps())
    outbox.put(PARKING, b"cd")
    board.seconds.now += 5
    assert _ages(outbox) == [(1, 0, 3605, False), (1, 1, 5, False)]


def test_after_power_loss_an_age_is_a_lower_bound_until_both_times_are_known():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"ab")
    board.seconds.now += 100
    outbox.put(PARKING, b"cd")
    outbox.settle()
    board.clock.learn(1795000000)
    outbox.put(PARKING, b"ef")
    outbox.settle()
    board.seconds.now = 40  # counts from power-on
    outbox = board.wake()
    outbox.put(PARKING, b"gh")
    assert _ages(outbox) == [(2, 0, 0, False), (1, 0, 140, True), (1, 1, 40, True), (1, 2, 40, True)], (
        "this boot's first"
    )
    board.clock.learn(1795000600)
    assert _ages(outbox) == [(1, 0, 140, True), (1, 1, 40, True), (1, 2, 600, False), (2, 0, 0, False)], (
        "oldest first"
    )


def test_a_gateway_whose_clock_was_set_back_makes_no_reading_come_from_the_future():
    board = Board()
    outbox = board.wake()
    board.clock.learn(1790007200)
    outbox.put(LEVEL, b"ab")
    board.seconds.now += 60
    outbox.put(LEVEL, b"cd")
    outbox.settle()
    board.clock.learn(1790000000)
    ((_, _, run, age_s, is_bound),) = outbox.batches()
    assert ([age_s(reading[1]) for reading in run], is_bound) == ([60, 0], True)
    board.seconds.now = 10
    outbox = board.wake()
    board.clock.learn(1790000100)
    ((_, _, run, age_s, is_bound),) = outbox.batches()
    assert ([age_s(reading[1]) for reading in run], is_bound) == ([70, 10], True)


def test_a_changed_bit_on_flash_costs_at_most_the_reading_it_hits():
    board = Board()
    outbox = board.wake()
    for i in range(4):
        outbox.put(PARKING, bytes((i, 7)))
    outbox.settle()
    path = board.folder + "/" + os.listdir(board.folder)[0]
    with open(path, "rb") as file:
        whole = file.read()
    sound = _waiting(board.wake())
    for at in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[at >> 3] ^= 1 << (at & 7)
        with open(path, "wb") as file:
            file.write(changed)
        left = _waiting(board.wake())
        assert len(left) == 3 and all(entry in sound for entry in left), at
        assert board.segments.damaged > 0


def test_files_that_went_are_not_waited_for():
    board = Board()
    outbox = board.wake()
    for i in range(3):
        outbox.put(LEVEL, bytes((i, 0)))
    outbox.settle()
    outbox.put(LEVEL, b"xy")
    record = outbox.dumps()
    for name in os.listdir(board.folder):
        os.remove(board.folder + "/" + name)
    outbox = board.wake(record)
    assert len(outbox) == 4
    assert [run for _, _, run, _, _ in outbox.batches()] == [[(3, 1000, b"xy")]]
    outbox.take_receipts([(1, 3, 3)])
    assert len(outbox) == 0


def test_a_file_system_that_cannot_be_read_does_not_keep_back_what_is_in_rtc_memory():
    board = Board()
    outbox = board.wake()
    outbox.put(LEVEL, b"ab")
    outbox.settle()
    outbox.put(LEVEL, b"xy")
    record = outbox.dumps()

    def gone(to_write):
        raise OSError(5)

    board.wake(record)
    outbox = Outbox(lambda: Segments(board.folder, gone), board.clock, board.take_boot)
    assert outbox.restore(record)
    assert [run for _, _, run, _, _ in outbox.batches()] == [[(1, 1000, b"xy")]]
    assert (len(outbox), outbox.flash_errors) == (2, 1), "what is on flash is looked for again"


def test_garbage_in_rtc_memory_is_a_new_boot_never_a_crash():
    board = Board()
    outbox = board.wake()
    outbox.put(PARKING, b"ab")
    record = outbox.dumps()
    for length in range(1, len(record)):
        if length == 16:
            continue  # a whole record of an empty outbox
        assert not Outbox(lambda: board.segments, board.clock, board.take_boot).restore(record[:length])
    rtc = Rtc()
    for garbage in (b"", bytes(2048), b"\xff" * 2048, bytes(range(256)) * 8, bytes(17)):
        rtc.kept = garbage
        assert Memory(rtc).load() is None


def test_rtc_memory_gives_back_the_newest_sound_copy():
    rtc = Rtc()
    memory = Memory(rtc)
    memory.save(b"first")
    memory.save(b"second")
    assert Memory(rtc).load() == b"second"
    whole = rtc.kept
    for i in range(len(whole)):
        changed = bytearray(whole)
        changed[i] ^= 4
        rtc.kept = bytes(changed)
        assert Memory(rtc).load() in (b"first", b"second"), i
    rtc.kept = whole[:1500]
    again = Memory(rtc)
    assert again.load() is not None
    again.save(bytes(MAX_RECORD))
    again.save(b"x" * MAX_RECORD)
    assert len(rtc.kept) <= 2048 and Memory(rtc).load() == b"x" * MAX_RECORD
