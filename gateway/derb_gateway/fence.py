"""How long a message may have lain in the broker. Pure but for the clock handed in.

A node sends ages, and an age is true only if the message came at once. While the gateway is away the broker
holds messages. So the gateway sends itself a fence: when it comes back, all that the broker took before it
has come too. What arrives while a fence is out is no older than the last that came back. The same holds after
a time in which this process had no CPU: then messages wait in the socket.
"""

import secrets
from dataclasses import dataclass

from derb_gateway.clock import Clock

SETTLED_S = 1.0  # a fence that is back so soon proves that nothing waits; ages are whole seconds anyway


@dataclass(frozen=True, slots=True)
class _Sent:
    nonce: bytes
    wall_ms: int
    monotonic_s: float


class Fence:
    """The fences of one connection."""

    def __init__(self, clock: Clock, floor_ms: int | None, turn_s: float = 5.0) -> None:
        """`floor_ms`: nothing that comes reached the broker before this; None: nobody knows.

        `turn_s`: `send` is called so often. If it is not, this process had no CPU, and messages waited.
        """
        self._clock = clock
        self._stalled_s = turn_s + SETTLED_S
        self._turned_s = clock.monotonic_s()
        self._floor_ms = floor_ms
        self._settled = False
        self._out: _Sent | None = None

    @property
    def settled(self) -> bool:
        """Return whether the last fence that came back did so at once."""
        return self._settled

    def send(self) -> bytes | None:
        """Return the payload of a new fence, None while one is out."""
        if self._stalled():
            self._settled = False  # what waited may go on coming until a new fence is back
        self._turned_s = self._clock.monotonic_s()
        if self._out is not None:
            return None
        self._out = _Sent(secrets.token_bytes(12), self._clock.wall_ms(), self._clock.monotonic_s())
        return self._out.nonce

    def overdue_s(self) -> float:
        """Return for how many real seconds a fence has been out."""
        return self._clock.monotonic_s() - self._out.monotonic_s if self._out else 0.0

    def came_back(self, nonce: bytes) -> int | None:
        """Return the moment up to which everything has come (Unix ms), None if the fence is not ours."""
        if self._out is None or self._out.nonce != nonce:
            return None
        at_once = self.overdue_s() < SETTLED_S  # else what follows it may have waited just as long
        self._floor_ms, self._out, self._settled = self._out.wall_ms, None, at_once
        return self._floor_ms

    def _stalled(self) -> bool:
        return self._clock.monotonic_s() - self._turned_s > self._stalled_s

    def error_ms(self) -> int | None:
        """Return how long a message that comes now may have waited in the broker; None: nobody knows."""
        if self._settled and self.overdue_s() < SETTLED_S and not self._stalled():
            return 0
        if self._floor_ms is None:
            return None
        waited_ms = self._clock.wall_ms() - self._floor_ms
        if waited_ms < 0:
            return None  # the wall clock was set back: the floor means nothing now
        return 0 if waited_ms < SETTLED_S * 1000 * self._clock.speed else waited_ms
