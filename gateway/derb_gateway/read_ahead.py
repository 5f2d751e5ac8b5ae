"""A socket that is read some kilobytes at a time, for a library that asks for a byte, then another, then the rest.

paho reads an MQTT packet in three calls, and aiomqtt goes through the event loop for each packet. With what has come kept
here, and told by `pending` as an SSL socket tells it, many packets cost one call and one turn of the loop.
"""

import socket
from typing import Any

_AHEAD_BYTES = 8_192  # some 150 frames: so long the loop is busy with them and nothing else


class ReadAhead:
    """Everything but reading goes to the socket itself."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._kept = b""
        self._at = 0

    def recv(self, most: int) -> bytes:
        """Return up to so many bytes, of what is kept or of what has come; errors are the socket's."""
        if self._at >= len(self._kept):
            self._kept, self._at = b"", 0  # before the socket can raise
            self._kept = self._sock.recv(max(most, _AHEAD_BYTES))
        piece = self._kept[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def pending(self) -> int:
        """Return how many bytes may be read without waiting."""
        below = getattr(self._sock, "pending", None)
        return len(self._kept) - self._at + (below() if below is not None else 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
