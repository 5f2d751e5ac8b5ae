"""Recordings of a sensor's world, `*.mag` and `*.echo`: little-endian, wrapping at their end.

Written so that both the board (MicroPython) and its supervisor (CPython) use it.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_MAG_HEAD = "<8sII"
_MAG_HEAD_BYTES = 16
_MAG_RECORD_BYTES = 14
_ECHO_HEAD = "<8sIHHI"
_ECHO_HEAD_BYTES = 20


class MagRecording:
    """Samples `(x_nt, y_nt, z_nt, temp_c100)`, one every `period_ms`."""

    def __init__(self, file: "BinaryIO", start_ms: int) -> None:
        self._file = file
        self._start_ms = start_ms
        magic, self.period_ms, self._count = struct.unpack(_MAG_HEAD, file.read(_MAG_HEAD_BYTES))
        if magic != b"DERBMAG1" or not self.period_ms or not self._count:
            raise ValueError("not a .mag recording")
        self._index = -1
        self._sample = (0, 0, 0, 0)

    def at(self, street_ms: int) -> "tuple[int, int, int, int]":
        """The sample in force at that time."""
        index = (street_ms - self._start_ms) // self.period_ms % self._count
        if index != self._index:
            self._file.seek(_MAG_HEAD_BYTES + index * _MAG_RECORD_BYTES)
            self._sample = struct.unpack("<iiih", self._file.read(_MAG_RECORD_BYTES))
            self._index = index
        return self._sample

    def next_ms(self, street_ms: int) -> int:
        """When the next sample comes into force."""
        return street_ms + self.period_ms - (street_ms - self._start_ms) % self.period_ms


class EchoRecording:
    """Readings: `temp_c100` and the echo times of pings in us (-1 no echo start, -2 echo never ended)."""

    def __init__(self, file: "BinaryIO", start_ms: int) -> None:
        self._file = file
        self._start_ms = start_ms
        magic, self.period_ms, self.pings, _, self._count = struct.unpack(
            _ECHO_HEAD, file.read(_ECHO_HEAD_BYTES)
        )
        if magic != b"DERBECH1" or not self.period_ms or not self._count or not self.pings:
            raise ValueError("not a .echo recording")

    def at(self, street_ms: int) -> "tuple[int, int, list[int]]":
        """`(index of the record, temp_c100, echoes)` in force at that time."""
        index = (street_ms - self._start_ms) // self.period_ms % self._count
        size = 2 + 4 * self.pings
        self._file.seek(_ECHO_HEAD_BYTES + index * size)
        temp_c100, *echoes_us = struct.unpack("<h%di" % self.pings, self._file.read(size))
        return index, temp_c100, echoes_us
