"""Readings on flash: a fixed set of small files, appended to and removed whole, each record with its own checksum.

littlefs makes one close of a file atomic: after a cut of the power the file is as before or as after. So a reading is
on flash or it is not, and there is nothing to repair. Which readings already have a receipt is not written down:
after a loss of power they are sent again and the gateway, which knows them by their identity, gives the receipt
again. That spares a write for every receipt.
"""

import binascii
import os
import struct

from micropython import const

SEGMENTS = const(24)
# All that RTC memory holds at once; read whole, it leaves the heap room for a connection.
SEGMENT_BYTES = const(1200)
NO_SPACE = const(28)  # ENOSPC

_MARK = const(0xD5)
_HEAD = "<BBBIIIB"  # mark, payload length, kind, boot, sequence, time, whether the time is Unix time
_HEAD_SIZE = const(16)
_MAX_PAYLOAD = const(200)
# Kinds of readings (docs/protocol.md) that go last when there is no room: parking and alarms.
_PRECIOUS = const(0b10010)


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
    """The files in `folder`. Every method may raise OSError when the flash refuses.

    `ready(to_write)` is called before the first use of the file system, and before each write.
    """

    def __init__(self, folder, ready=None):
        self._folder = folder
        self._ready = ready or _nothing
        self.damaged = 0  # bytes that were no record when the files were read
        self.unreadable = 0  # files that the file system would not give
        self.writes = 0
        self._index = None

    def index(self):
        """Return the segments, oldest first; reads the files the first time only."""
        if self._index is None:
            self._ready(False)
            index = []
            for name in self._names():
                self._examine(name, index)
            self._index = index
        return self._index

    def _names(self):
        try:
            return os.listdir(self._folder)
        except OSError:
            return []  # nothing was ever written

    def _examine(self, name, index):
        try:
            entries = self._parse(self._read(name))
        except OSError:
            # The file system itself is damaged here. What else is there must still come out.
            self.unreadable += 1
            return
        if entries:
            _insert(index, Segment(name, entries, os.stat(self._path(name))[6]))
        else:
            self._remove_file(name)

    def read(self, segment):
        """Return the entries of a segment, oldest first."""
        try:
            return self._parse(self._read(segment.name))
        except OSError:
            self.unreadable += 1
            return []

    def append(self, entries):
        """Put entries on flash, newer than all that is there; when this returns they are safe.

        An entry is (boot, sequence, kind, time, whether the time is Unix time, payload).
        """
        self._make_ready()
        blob = b"".join(_pack(entry) for entry in entries)
        segment = self._tail(entries[0][:2], len(blob))
        with open(self._path(segment.name), "ab" if segment.count else "wb") as file:
            file.write(blob)
        self.writes += 1
        if segment.count == 0:
            segment.first = entries[0][:2]
            _insert(self._index, segment)
        segment.add(entries, len(blob))

    def _make_ready(self):
        self._ready(True)
        self.index()
        try:
            os.mkdir(self._folder)
        except OSError:
            return  # it is there; if it is not, the write says so

    def _tail(self, first, length):
        index = self.index()
        if index:
            tail = index[-1]
            if tail.last < first and tail.size + length <= SEGMENT_BYTES:
                return tail
        used = [segment.name for segment in index]
        if len(used) < SEGMENTS:
            # A file that cannot be read keeps its name, and no more than that.
            for i in range(2 * SEGMENTS):
                name = "s%02d" % i
                if name not in used and not self._is_there(name):
                    return Segment(name)
        raise OSError(NO_SPACE, "no segment is free")  # the caller decides what to shed

    def _is_there(self, name):
        try:
            os.stat(self._path(name))
        except OSError:
            return False
        return True

    def remove(self, segment):
        """Take a segment away, readings and all."""
        self._remove_file(segment.name)
        self._index.remove(segment)

    def shed(self):
        """Make room: give up the oldest levels and the like; return how many, 0 if there are none."""
        for segment in self.index():
            if segment.kinds & ~_PRECIOUS:
                return self._thin(segment)
        return 0

    def _thin(self, segment):
        precious = [entry for entry in self.read(segment) if is_precious(entry[2])]
        given_up = segment.count - len(precious)
        if not precious:
            self.remove(segment)
            return given_up
        blob = b"".join(_pack(entry) for entry in precious)
        # Old or new at any moment: the file system lets go of the old content when the new one is closed.
        with open(self._path(segment.name), "wb") as file:
            file.write(blob)
        self.writes += 1
        at = self._index.index(segment)
        self._index[at] = Segment(segment.name, precious, len(blob))
        return given_up

    def _remove_file(self, name):
        os.remove(self._path(name))
        self.writes += 1

    def _path(self, name):
        return self._folder + "/" + name

    def _read(self, name):
        # Asked for more than there is, the file system takes heap for all of it.
        size = min(os.stat(self._path(name))[6], SEGMENT_BYTES * 2)
        with open(self._path(name), "rb") as file:
            return file.read(size)

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


def is_precious(kind):
    """Return whether a reading of this kind is given up only when nothing else is left."""
    return bool(_PRECIOUS >> kind & 1)


def _nothing(to_write):
    pass


def _insert(index, segment):
    at = len(index)
    while at and segment.first < index[at - 1].first:
        at -= 1
    index.insert(at, segment)


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
