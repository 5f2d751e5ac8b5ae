"""A line between esptool and a board's loader that drops bytes, stalls and is cut, at random places that a seed chooses."""

import random
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from typing import Literal

Ill = Literal["drop", "stall", "cut"]

_FIRST_AT, _LAST_AT = 10_000, 90_000  # of the bytes towards the board
_STALL_S = 4.0


class BadLine:
    """A context manager that listens; each connection to it is one to `port`, until it is cut."""

    def __init__(self, port: int, ills: Sequence[Ill] = (), seed: int = 0) -> None:
        self._port = port
        self._chance = random.Random(seed)
        places = sorted(self._chance.randrange(_FIRST_AT, _LAST_AT) for _ in ills)
        self._ills = list(zip(places, ills, strict=True))
        self._server = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self.befell: list[Ill] = []
        self._bytes_to_board = 0

    def __enter__(self) -> "BadLine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._thread.join(10)

    def close(self) -> None:
        """The cable is out, for good."""
        self._stopped.set()
        self._server.close()

    def _serve(self) -> None:
        self._server.settimeout(0.2)
        while not self._stopped.is_set():
            try:
                near, _ = self._server.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with near, socket.create_connection(("127.0.0.1", self._port)) as far:
                self._carry(near, far)

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while not self._stopped.is_set():
                for key, _ in ready.select(0.2):
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    try:
                        said = source.recv(4096)
                        if not said:
                            return
                        target.sendall(self._hurt(said) if target is far else said)
                    except OSError:
                        return

    def _hurt(self, said: bytes) -> bytes:
        self._bytes_to_board += len(said)
        if not self._ills or self._bytes_to_board < self._ills[0][0]:
            return said
        _, ill = self._ills.pop(0)
        self.befell.append(ill)
        if ill == "cut":
            raise ConnectionResetError
        if ill == "stall":
            time.sleep(_STALL_S)  # the line's own silence, not a wait for anything
            return said
        at = self._chance.randrange(len(said))
        return said[:at] + said[at + 1 :]
