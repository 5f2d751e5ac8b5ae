"""The air between simulated boards: a hub on a UDP port that carries ESP-NOW packets from one to another.

A datagram is a letter and its fields. To the hub: `H` address, channel (radio on, or on another channel), `B`
address (radio off), `S` from, to, packet. From the hub: `A` and 1 or 0 (the other radio has acknowledged), `R`
from, signal in dBm, packet. Addresses have 6 bytes, a channel one, a signal one, signed.
"""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from types import TracebackType
from typing import NamedTuple

BROADCAST = b"\xff" * 6

_DATAGRAM_BYTES = 400
_RECEIVE_BYTES = 4 << 20  # two hundred nodes speak at once
_RSSI_DBM = -60


class _Radio(NamedTuple):
    port: tuple[str, int]
    channel: int


class Air:
    """The hub; a context manager. `loss` is the chance that a packet, with all its repetitions, is not heard.

    A radio hears its own channel only, and a broadcast from the next channel with the chance `crosstalk`.
    `rssi_dbm` may hold the signal of a pair (from, to). `counts` has `heard`, `lost` and `absent` (nobody with
    that address on that channel, or its radio off).
    """

    def __init__(self, loss: float = 0, seed: int = 1, crosstalk: float = 0) -> None:
        self._loss = loss
        self._crosstalk = crosstalk
        self._chance = random.Random(seed)
        self.rssi_dbm: dict[tuple[bytes, bytes], int] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self._radios: dict[bytes, _Radio] = {}
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
                self._radios[address] = _Radio(sender, datagram[7])
            elif letter == b"B":
                self._radios.pop(address, None)
            elif letter == b"S":
                heard = self._carry(address, datagram[7:13], datagram[13:])
                self._socket.sendto(b"A\x01" if heard else b"A\x00", sender)

    def _carry(self, source: bytes, target: bytes, packet: bytes) -> bool:
        hearing = [
            address for address in self._radios if address != source and self._hears(address, source, target)
        ]
        if not hearing:
            self.counts["absent"] += 1
            return False
        if self._chance.random() < self._loss:
            self.counts["lost"] += 1
            return False
        for address in hearing:
            rssi_dbm = self.rssi_dbm.get((source, address), _RSSI_DBM)
            signal = rssi_dbm.to_bytes(1, "little", signed=True)
            self._socket.sendto(b"R" + source + signal + packet, self._radios[address].port)
        self.counts["heard"] += 1
        return True

    def _hears(self, address: bytes, source: bytes, target: bytes) -> bool:
        if target not in (address, BROADCAST) or source not in self._radios:
            return False
        apart = abs(self._radios[address].channel - self._radios[source].channel)
        return apart == 0 or (apart == 1 and target == BROADCAST and self._chance.random() < self._crosstalk)


class AirRadio:
    """A radio of the laptop's own: a relay or a node played by Python. A context manager."""

    def __init__(self, air_port: int, address: bytes, channel: int = 1) -> None:
        self._address = address
        self._channel = channel
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", air_port))

    def __enter__(self) -> AirRadio:
        self._socket.send(b"H" + self._address + bytes([self._channel]))
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.send(b"B" + self._address)
        self._socket.close()

    def send(self, target: bytes, packet: bytes) -> None:
        """Send a packet; whether it was heard is not waited for."""
        self._socket.send(b"S" + self._address + target + packet)

    def fileno(self) -> int:
        """The socket, for a selector."""
        return self._socket.fileno()

    def receive(self, timeout_s: float) -> tuple[bytes, bytes] | None:
        """The next packet as (from, packet), None when none comes in time; acknowledgements do not count."""
        self._socket.settimeout(timeout_s)
        while True:
            try:
                datagram = self._socket.recv(_DATAGRAM_BYTES)
            except TimeoutError:
                return None
            if datagram[:1] == b"R":
                return datagram[1:7], datagram[8:]
