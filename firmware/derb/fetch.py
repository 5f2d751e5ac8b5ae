"""Gets the pieces of an update over the connection that is open."""

from derb import chunks, frame
from derb.links import LinkError

_ANSWER_MS = 3000
_TRIES = 3


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
        count = min(chunks.WINDOW, (size - offset + chunks.CHUNK - 1) // chunks.CHUNK)
        for _ in range(_TRIES):
            self._board.feed()
            if self._deadline.over():
                raise LinkError("the update goes on at the next wake")
            self._link.send(chunks.ask(self._board.key, self._board.id, self._version, file, offset, count))
            got = 0
            until = self._deadline.within(_ANSWER_MS)
            while got < count:
                content = self._next(file, offset, until)
                if content is None:
                    break
                if not content:
                    return
                yield content
                got += 1
                offset += len(content)
            if got:
                return
        raise LinkError("no chunk in time")

    def _next(self, file, offset, until):
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
            if found[:3] == (self._version, file, offset):
                return found[3]
            self.refused += 1
