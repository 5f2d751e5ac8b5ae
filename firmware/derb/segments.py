"""Readings on flash: a fixed set of small files, appended to and removed whole, each record with its own checksum.

littlefs makes one close of a file atomic: after a cut of the power the file is as before or as after. So a reading is
on flash or it is not, and there is nothing to repair. Which readings already have a receipt is not written down:
after a loss of power they are sent again and the gateway, which knows them by their identity, gives the receipt
again. That spares a write for every receipt.
"""

import binascii
import os
import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


SEGMENTS = const(16)
SEGMENT_BYTES = const(2048)
NO_SPACE = const(28)  # ENOSPC

_MARK = const(0xD5)
_HEAD = "<BBBIIIB"  # mark, payload length, kind, boot, sequence, time, whether the time is Unix time
_HEAD_SIZE = const(16)
_MAX_PAYLOAD = const(200)


class Segment:
    """What one file holds, without holding it. `first` and `last` are (boot, sequence)."""

    def __init__(self, name, entries=(), size=0):
        self.name = name
        self.first = self.last = (0, 0)
        self.count = 0
        self.size = 0
        self.kinds = 0  # bit set of kinds
        self.add(entries, size)

    def add(self, entries, size):
        """Count in entries that the file now holds too."""
        for entry in entries:
            if self.count == 0:
                self.first = entry[:2]
            self.last = entry[:2]
            self.count += 1
            self.kinds |= 1 << entry[2]
        self.size += size


class Segments:
    """The files in `folder`. Every method may raise OSError when the flash refuses."""

    def __init__(self, folder):
        self._folder = folder
        self.damaged = 0  # bytes that were no record when the files were read
        self.writes = 0
        self._index = None

    def index(self):
        """Return the segments, oldest first; reads the files the first time only."""
        if self._index is None:
            self._index = []
            for name in self._names():
                self._examine(name)
        return self._index

    def _names(self):
        try:
            return os.listdir(self._folder)
        except OSError:
            os.mkdir(self._folder)
            return []

    def _examine(self, name):
        entries = self._parse(self._read(name))
        if entries:
            self._insert(Segment(name, entries, os.stat(self._path(name))[6]))
        else:
            self._remove_file(name)

    def _insert(self, segment):
        at = len(self._index)
        while at and segment.first < self._index[at - 1].first:
            at -= 1
        self._index.insert(at, segment)

    def read(self, segment):
        """Return the entries of a segment, oldest first."""
        return self._parse(self._read(segment.name))

    def append(self, entries):
        """Put entries on flash, newer than all that is there; when this returns they are safe.

        An entry is (boot, sequence, kind, time, whether the time is Unix time, payload).
        """
        blob = b"".join(_pack(entry) for entry in entries)
        segment = self._tail(entries[0][:2], len(blob))
        with open(self._path(segment.name), "ab") as file:
            file.write(blob)
        self.writes += 1
        if segment.count == 0:
            segment.first = entries[0][:2]
            self._insert(segment)
        segment.add(entries, len(blob))

    def _tail(self, first, length):
        index = self.index()
        if index:
            tail = index[-1]
            if tail.last < first and tail.size + length <= SEGMENT_BYTES:
                return tail
        used = [segment.name for segment in index]
        for i in range(SEGMENTS):
            name = "s%02d" % i
            if name not in used:
                return Segment(name)
        raise OSError(NO_SPACE, "no segment is free")  # the caller decides what to shed

    def remove(self, segment):
        """Take a segment away, readings and all."""
        self._remove_file(segment.name)
        self._index.remove(segment)

    def _remove_file(self, name):
        os.remove(self._path(name))
        self.writes += 1

    def _path(self, name):
        return self._folder + "/" + name

    def _read(self, name):
        with open(self._path(name), "rb") as file:
            return file.read(SEGMENT_BYTES * 2)

    def _parse(self, blob):
        entries = []
        at = 0
        while at < len(blob):
            entry, size = _unpack(blob, at)
            if entry is None:
                # Not a record: look for the next one, byte by byte. What lies between is lost and said to be.
                self.damaged += 1
                at += 1
                continue
            entries.append(entry)
            at += size
        return entries


def _pack(entry):
    boot, sequence, kind, t, is_unix, payload = entry
    if len(payload) > _MAX_PAYLOAD:
        raise ValueError("payload too long")
    record = struct.pack(_HEAD, _MARK, len(payload), kind, boot, sequence, t, is_unix) + payload
    return record + struct.pack("<I", binascii.crc32(record) & 0xFFFFFFFF)


def _unpack(blob, at):
    end = at + _HEAD_SIZE
    if blob[at] != _MARK or end > len(blob):
        return None, 0
    _, length, kind, boot, sequence, t, is_unix = struct.unpack(_HEAD, blob[at:end])
    if end + length + 4 > len(blob):
        return None, 0
    crc = struct.unpack("<I", blob[end + length : end + length + 4])[0]
    if crc != binascii.crc32(blob[at : end + length]) & 0xFFFFFFFF:
        return None, 0
    return (boot, sequence, kind, t, is_unix, blob[end : end + length]), _HEAD_SIZE + length + 4
