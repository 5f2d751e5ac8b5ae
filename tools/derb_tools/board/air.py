"""The air between simulated boards: a hub on a UDP port that carries ESP-NOW packets from one to another.

A datagram is a letter and its fields. To the hub: `H` address (radio on), `B` address (radio off), `S` from,
to, packet. From the hub: `A` and 1 or 0 (the other radio has acknowledged), `R` from, packet. Addresses have
6 bytes.
"""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from types import TracebackType

BROADCAST = b"\xff" * 6

_DATAGRAM_BYTES = 400


class Air:
    """The hub; a context manager. `loss` is the chance that a packet, with all its repetitions, is not heard.

    `counts` has `heard`, `lost` and `absent` (nobody with that address, or its radio off).
    """

    def __init__(self, loss: float = 0, seed: int = 1) -> None:
        self._loss = loss
        self._chance = random.Random(seed)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._radios: dict[bytes, tuple[str, int]] = {}
        self.counts: Counter[str] = Counter()
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="derb-air", daemon=True)

    def __enter__(self) -> Air:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"Q", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            datagram, sender = self._socket.recvfrom(_DATAGRAM_BYTES)
            letter, address = datagram[:1], datagram[1:7]
            if letter == b"Q":
                return
            if letter == b"H":
                self._radios[address] = sender
            elif letter == b"B":
                self._radios.pop(address, None)
            elif letter == b"S":
                heard = self._carry(address, datagram[7:13], datagram[13:])
                self._socket.sendto(b"A\x01" if heard else b"A\x00", sender)

    def _carry(self, source: bytes, target: bytes, packet: bytes) -> bool:
        if target == BROADCAST:
            others = [port for address, port in self._radios.items() if address != source]
        else:
            others = [self._radios[target]] if target in self._radios else []
        if not others:
            self.counts["absent"] += 1
            return False
        if self._chance.random() < self._loss:
            self.counts["lost"] += 1
            return False
        for port in others:
            self._socket.sendto(b"R" + source + packet, port)
        self.counts["heard"] += 1
        return True


class AirRadio:
    """A radio of the laptop's own: a relay played by Python. A context manager."""

    def __init__(self, air_port: int, address: bytes) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", air_port))

    def __enter__(self) -> AirRadio:
        self._socket.send(b"H" + self._address)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.send(b"B" + self._address)
        self._socket.close()

    def send(self, target: bytes, packet: bytes) -> None:
        """Send a packet; whether it was heard is not waited for."""
        self._socket.send(b"S" + self._address + target + packet)

    def receive(self, timeout_s: float) -> tuple[bytes, bytes] | None:
        """The next packet as (from, packet), None when none comes in time; acknowledgements do not count."""
        self._socket.settimeout(timeout_s)
        while True:
            try:
                datagram = self._socket.recv(_DATAGRAM_BYTES)
            except TimeoutError:
                return None
            if datagram[:1] == b"R":
                return datagram[1:7], datagram[7:]
