"""Readings that nobody has given a receipt for yet: in RTC memory first, on flash when they must.

A reading is in the outbox when `put` returns and RTC memory was saved. It leaves when a receipt names it, and for two
other reasons: power was lost before it was on flash, or there is no room left; then the oldest level readings are shed
before any parking event or alarm, and counted. What is on flash when is the caller's to say, with `settle`.
"""

from micropython import const

from derb import queue_record
from derb.queue_record import ENTRY_SIZE as _ENTRY_SIZE

MAX_SEQUENCE = const(16383)
RAM_BYTES = const(512)  # what the ring may take of the RTC record

_PRECIOUS = (1, 4)  # kinds that go last: parking, alarm
_NO_SPACE = const(28)  # ENOSPC


class Outbox:
    """The queue of one node.

    `open_segments()` returns the Segments, once it is needed: in most wakes it is not. `take_boot()` returns a new boot
    number that is already safe on flash.
    """

    def __init__(self, open_segments, clock, take_boot):
        self._open_segments = open_segments
        self._clock = clock
        self._take_boot = take_boot
        self._ring = []  # (sequence, kind, time, payload) of this boot, oldest first
        self._ring_bytes = 0
        self.boot = 0
        self.power_boot = 0  # the boots from this one on share one time line
        self.next_sequence = 0
        self.on_flash = None  # readings there; None: not looked
        self.shed = 0
        self.flash_errors = 0  # of this wake
        self.settled = []  # identities that went to flash in this wake

    def start(self):
        """Begin a new boot: what RTC memory held is gone or not to be believed."""
        self._next_boot()
        self.power_boot = self.boot
        self.on_flash = None

    def _next_boot(self):
        self.settle()
        # What flash would not take has the old boot's numbers, which the ring cannot keep.
        self.shed += len(self._ring)
        self._ring = []
        self._ring_bytes = 0
        self.boot = self._take_boot()
        self.next_sequence = 0

    def restore(self, record):
        """Take back what `dumps` gave before sleep; return False if it is not sound."""
        found = queue_record.unpack(record)
        if not found:
            return False
        (self.boot, self.power_boot, self.shed, self.next_sequence, self.on_flash), self._ring = found
        self._ring_bytes = sum(_ENTRY_SIZE + len(entry[3]) for entry in self._ring)
        return True

    def dumps(self):
        """Return what must be kept in RTC memory."""
        self._count_flash()
        head = self.boot, self.power_boot, self.shed, self.next_sequence, self.on_flash
        return queue_record.pack(head, self._ring)

    def _count_flash(self):
        if self.on_flash is None:
            try:
                self.on_flash = sum(segment.count for segment in self._open_segments().index())
            except OSError:
                self.flash_errors += 1
                return 0  # looked for again in the next wake
        return self.on_flash

    def __len__(self):
        return len(self._ring) + self._count_flash()

    def put(self, kind, payload):
        """Keep a reading made now; return its (boot, sequence)."""
        if self.next_sequence > MAX_SEQUENCE:
            self._next_boot()
        sequence = self.next_sequence
        self.next_sequence += 1
        self._ring.append((sequence, kind, self._clock.now(), payload))
        self._ring_bytes += _ENTRY_SIZE + len(payload)
        if self._ring_bytes > RAM_BYTES:
            self.settle()
        while self._ring_bytes > RAM_BYTES:
            self._shed_from_ring()
        return self.boot, sequence

    def settle(self, hold=0):
        """Put what is only in RTC memory on flash, unless it is at most `hold` readings; return whether RTC memory is clear.

        What flash refuses stays where it is.
        """
        if len(self._ring) > hold:
            entries = [self._timed(entry) for entry in self._ring]
            try:
                self._append(entries)
            except OSError:
                self.flash_errors += 1
                return False
            self._ring = []
            self._ring_bytes = 0
            self.on_flash = None
        return not self._ring

    @property
    def holds_event(self):
        """Whether something is only in RTC memory that must not be lost with the power: an event, an alarm."""
        return any(entry[1] in _PRECIOUS for entry in self._ring)

    def _timed(self, entry):
        sequence, kind, t, payload = entry
        unix = self._clock.to_unix(t)
        return (self.boot, sequence, kind, unix or t, 1 if unix else 0, payload)

    def _append(self, entries):
        segments = self._open_segments()
        while entries:
            try:
                segments.append(entries)
                self.settled.extend((entry[0], entry[1]) for entry in entries)
                return
            except OSError as e:
                # Only a full flash is a reason to shed; a write that failed otherwise may do better next time.
                if e.errno != _NO_SPACE:
                    raise
            entries = self._make_room(segments, entries)

    def _make_room(self, segments, entries):
        shed = segments.shed()
        if not shed:
            precious = [entry for entry in entries if entry[2] in _PRECIOUS]
            shed = len(entries) - len(precious)
            entries = precious
        if not shed:
            index = segments.index()
            if not index:
                raise OSError(_NO_SPACE)
            shed = index[0].count
            segments.remove(index[0])
        self.shed += shed
        return entries

    def _shed_from_ring(self):
        at = 0
        while at < len(self._ring) - 1 and self._ring[at][1] in _PRECIOUS:
            at += 1
        if self._ring[at][1] in _PRECIOUS:
            at = 0
        gone = self._ring.pop(at)
        self._ring_bytes -= _ENTRY_SIZE + len(gone[3])
        self.shed += 1

    def batches(self):
        """Yield (boot, kind, readings, age_s, age_is_bound): runs that fit one frame's rules, oldest first; see derb.batches."""
        from derb.batches import batches

        index = self._segments_to_send()
        ring = [self._timed(entry) for entry in self._ring]
        return batches(ring, index, self._open_segments, self._clock, self.power_boot)

    def _segments_to_send(self):
        if not self._count_flash():
            return []
        try:
            index = list(self._open_segments().index())
        except OSError:
            self.flash_errors += 1  # what is in RTC memory can go all the same
            return []
        # What rotted since it was counted does not come back, and must not be waited for.
        self.on_flash = sum(segment.count for segment in index)
        return index

    def take_receipts(self, ranges):
        """Drop every reading that the (boot, first, last) `ranges` name.

        Return the identities that are gone: those from RTC memory, and those of segments that are done as a whole.
        """
        done = []
        kept = []
        for entry in self._ring:
            if _covered(self.boot, entry[0], ranges):
                done.append((self.boot, entry[0]))
                self._ring_bytes -= _ENTRY_SIZE + len(entry[3])
            else:
                kept.append(entry)
        self._ring = kept
        if self._count_flash():
            try:
                self._drop_segments(ranges, done)
            except OSError:
                self.flash_errors += 1  # it is sent once more, and gets its receipt once more
        return done

    def _drop_segments(self, ranges, done):
        segments = self._open_segments()
        for segment in list(segments.index()):
            if not any(segment.first[0] <= boot <= segment.last[0] for boot, _, _ in ranges):
                continue
            entries = segments.read(segment)
            if entries and all(_covered(entry[0], entry[1], ranges) for entry in entries):
                segments.remove(segment)
                done.extend((entry[0], entry[1]) for entry in entries)
                self.on_flash = None


def _covered(boot, sequence, ranges):
    for range_boot, first, last in ranges:
        if range_boot == boot and first <= sequence <= last:
            return True
    return False
