"""Whether a batch that fails as a whole, again and again, is itself at fault. Pure.

An upstream that answers 500 to one batch for ever would hold up all that come behind it. But 500 is also what an upstream says
that is down. So a batch is first only cut in two, which costs nothing, and a single reading is given up only when others
were taken between its failures, several times over: an upstream that takes nothing from anybody proves nothing against it.
"""

from typing import Literal

from derb_gateway.sinks.pieces import Piece

TRIES = 8
WITNESSES = 3

Verdict = Literal["again", "halve", "ask", "give up"]


class Suspicion:
    """What speaks against the piece that comes first."""

    def __init__(self) -> None:
        self.turn = 0
        self._taken = 0

    def failed(self, piece: Piece) -> Verdict:
        """Judge a piece that has failed `piece.failures` times: "ask" whether the upstream takes another reading."""
        if piece.failures < TRIES:
            return "again"
        if len(piece.rows) > 1:
            return "halve"
        return "give up" if self._taken >= WITNESSES else "ask"

    def asked(self, *, taken: bool) -> None:
        """Note whether another reading was taken right after the failure."""
        self.turn += 1
        self._taken = self._taken + 1 if taken else 0

    def over(self) -> None:
        """Forget it: the piece was taken, or given up, or is no longer the first."""
        self._taken = 0
