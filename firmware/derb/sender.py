"""One connection's work: send what the outbox holds, take receipts, learn the time."""

from derb import frame
from derb.links import LinkError

_MOST_OUT = 8  # so many ranges fit a downlink
_MOST_RANGES = 128  # more than a segment holds readings


class Sender:
    """Empties `outbox` over a link; `log` is called with words about what happened.

    `new` is the first (boot, sequence) of this wake: only a receipt for a reading that cannot have been transmitted before
    is known to be fresh, and only a fresh one tells the time. `hear(unix_s, fresh, sections)` gets what else a downlink holds.
    """

    def __init__(self, node, key, outbox, clock, log, new, hear=None):
        self._node = node
        self._key = key
        self._outbox = outbox
        self._clock = clock
        self._log = log
        self._new = new
        self._hear = hear
        self._sent = []  # (boot, first, last) transmitted on this connection and not yet in a receipt
        self._ever_sent = []
        self._ranges = []  # of all receipts on this connection
        self.proven = False  # a receipt came that cannot be an old one
        self.refused = 0  # downlinks that were not for us or not intact

    def run(self, link, deadline):
        """Return whether everything in the outbox got its receipt; raise LinkError when the link fails first."""
        if not self._push(link, deadline, 1):
            return not len(self._outbox)
        # The broker sends a retained downlink before it acknowledges: what is here by now may be old.
        for payload in link.waiting():
            self._take(payload, False)
        while True:
            pushed = self._push(link, deadline, _MOST_OUT - len(self._sent))
            if not pushed and not self._sent:
                return not len(self._outbox)
            self._collect(link, deadline)

    def _push(self, link, deadline, most):
        count = 0
        before_time = not self._clock.known
        for boot, kind, run, age_s, age_is_bound in self._outbox.batches():
            if age_is_bound and before_time and self._sent:
                # The receipt for what is on its way may bring the time; these readings can wait for it.
                return count
            while run:
                if count >= most or deadline.over():
                    return count
                packed, taken = frame.encode(self._key, self._node, kind, boot, age_s, age_is_bound, run)
                span = (boot, run[0][0], run[taken - 1][0])
                run = run[taken:]
                if span in self._ever_sent:
                    continue
                link.send(packed)
                self._log("sent", boot, span[2], taken, len(packed))
                self._sent.append(span)
                self._ever_sent.append(span)
                count += 1
        return count

    def _collect(self, link, deadline):
        while self._sent:
            payload = link.receive(deadline)
            if payload is None:
                raise LinkError("no receipt in time")
            self._take(payload, True)

    def take(self, payload):
        """Read a downlink that came while nothing was on its way."""
        self._take(payload, False)

    def _take(self, payload, fresh):
        try:
            unix_s, synchronised, _, ranges, sections = frame.decode_downlink(self._key, self._node, payload)
        except frame.FrameError:
            self.refused += 1
            return
        waiting = [span for span in self._sent if not _within(span, ranges)]
        fresh = fresh and any(self._is_new(span) for span in self._sent if span not in waiting)
        if fresh and synchronised:
            self._clock.learn(unix_s)
        self.proven = self.proven or fresh
        if self._hear:
            self._hear(unix_s, fresh, sections)
        self._sent = waiting
        self._remember(ranges)
        for boot, sequence in self._outbox.take_receipts(self._ranges):
            self._log("done", boot, sequence)

    def _remember(self, ranges):
        # A segment goes as a whole, so what one receipt says of it must be there when the next says the rest.
        for boot, first, last in ranges:
            if not _within((boot, first, last), self._ranges):
                self._ranges = [known for known in self._ranges if not _within(known, [(boot, first, last)])]
                self._ranges.append((boot, first, last))
        del self._ranges[:-_MOST_RANGES]

    def _is_new(self, span):
        return (span[0], span[2]) >= self._new


def _within(span, ranges):
    boot, first, last = span
    for range_boot, low, high in ranges:
        if range_boot == boot and low <= first and last <= high:
            return True
    return False
