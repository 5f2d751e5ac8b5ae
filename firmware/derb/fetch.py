"""Gets the pieces of an update over the connection that is open."""

from micropython import const

from derb import chunks, frame, queue
from derb.links import LinkError

_FETCH_MS = const(60000)  # of one wake for an update
_ANSWER_MS = const(3000)
_TRIES = const(3)


def run(node, link, sender, deadline):
    """Fetch as much of the update as this wake gives time for."""
    from derb.update import Update

    node.storage.ready(True)
    deadline.extend(_FETCH_MS)
    link.extend(_FETCH_MS)
    update = Update(node.nvs, node.config.board)
    fetcher = Fetcher(node, link, sender, update.version, deadline)
    try:
        reason = update.fetch(fetcher.pieces, node.clock.to_unix(node.clock.now()))
    except (LinkError, frame.FrameError) as e:
        node.log("update", -update.left, e)  # goes on at the next wake, where it stopped
        return
    finally:
        node.kept.vitals.downlinks_refused += fetcher.refused
        node.kept.vitals.update_kb_left = (update.left + 1023) // 1024
    node.update_wanted = False
    node.log("update", "refused" if reason else "tried", reason)
    if reason:
        queue.keep(node, [update.answer(reason)])
        sender.run(link, deadline)
    else:
        node.reboot = True


class Fetcher:
    """`pieces` is what derb.update wants as its source. `board` is derb.node.Node, `sender` takes what is no chunk."""

    def __init__(self, board, link, sender, version, deadline):
        self._board = board
        self._link = link
        self._sender = sender
        self._version = version
        self._deadline = deadline
        self.refused = 0  # chunks that were malformed, had a wrong tag, or were not asked for

    def pieces(self, file, offset, size):
        """Yield the contents of the next chunks, in order; nothing if the gateway has no such file. Raise LinkError."""
        left = min(self._link.window, (size - offset + chunks.CHUNK - 1) // chunks.CHUNK)
        early = {}  # what came after a chunk that was lost
        silent = got = 0
        while left and silent < _TRIES:
            self._ask(file, offset, _missing(offset, left, early))
            before = left
            for content in self._answer(file, offset, left, early):
                if not content:
                    return
                yield content
                offset += len(content)
                left -= 1
                got += 1
            silent = 0 if left < before or early else silent + 1
        if left and not got:
            raise LinkError("no chunk in time")

    def _ask(self, file, offset, count):
        self._board.feed()
        if self._deadline.over():
            raise LinkError("the update goes on at the next wake")
        self._link.send(chunks.ask(self._board.key, self._board.id, self._version, file, offset, count))

    def _answer(self, file, offset, left, early):
        """Yield what follows at `offset`, until it is clear that the rest of the answer was lost."""
        last = offset + (_missing(offset, left, early) - 1) * chunks.CHUNK
        end = offset + left * chunks.CHUNK
        until = self._deadline.within(_ANSWER_MS)
        while True:
            while offset in early:
                content = early.pop(offset)
                yield content
                offset += len(content) or chunks.CHUNK
            if offset > last:
                return
            found = self._next(file, until)
            if found is None:
                return
            at, content = found
            if offset <= at < end:
                early[at] = content
            if at >= last and offset not in early:
                return

    def _next(self, file, until):
        """Return (offset, content) of the next chunk of this file, None when time is up."""
        while True:
            payload = self._link.receive(until)
            if payload is None:
                return None
            if not chunks.is_chunk(payload):
                self._sender.take(payload)
                continue
            try:
                found = chunks.read(self._board.key, self._board.id, payload)
            except frame.FrameError:
                self.refused += 1
                continue
            if found[:2] == (self._version, file):
                return found[2:]
            self.refused += 1


def _missing(offset, left, early):
    count = 1
    while count < left and offset + count * chunks.CHUNK not in early:
        count += 1
    return count
