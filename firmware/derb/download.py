"""Fetches the files of an update into the other slot, over many wakes: one has its own name only once it was read back whole."""

import os
import struct
import sys

import slots
from micropython import const

from derb import frame, update

_FOLDER = const(0x4000)
_LONGEST_HEAD = const(12288)
_PART = ".part"
_NEW = ".new"  # a head whose files are not all there yet


class Ended(Exception):
    """The update is over; the argument is the reason."""


class Download:
    """What is to be fetched for `order`, a derb.update.Update, and how far it is. `nvs` as esp32.NVS."""

    def __init__(self, order, nvs):
        self._order = order
        self._nvs = nvs
        self._folder = slots.FOLDERS[slots.target(nvs)]

    def run(self, source):
        """Fetch what is missing and prove all of it; raise Ended, or what `source` raises."""
        files = self._head(source)
        self._clean(files)
        for number, (name, size, sha256) in enumerate(files):
            self._file(source, number + 1, name, size, sha256)
        self._put_head()
        if not slots.intact(self._folder):
            raise Ended(update.BAD_FILE)

    def forget_parts(self):
        """Take away what an earlier order began."""
        for path in list(_walk(self._folder)):
            if any(path.endswith(end) for end in (_PART, _NEW)):
                os.remove(path)

    def wipe(self):
        """Take all of it away."""
        for path in list(_walk(self._folder)):
            os.remove(path)

    def _head(self, source):
        """Return the files of the manifest, which is ours and signed."""
        from derb import lms

        key = self._order.key()
        path = self._folder + "/" + slots.HEAD + _NEW
        _make_folders(path)
        if slots.size_of(path) < 0:
            self._get_head(source, path, lms.signature_size(key))
        with open(path, "rb") as file:
            head = file.read()
        try:
            version, bytecode, board, files, end = slots.manifest(head)
        except ValueError:
            raise Ended(update.MALFORMED)
        # Before anything else of it is believed.
        if not lms.verify(key, head[2:end], head[end:]):
            raise Ended(update.BAD_SIGNATURE)
        if version != self._order.version:
            raise Ended(update.MALFORMED)
        if board not in ("*", self._order.board):
            raise Ended(update.OTHER_BOARD)
        if bytecode != sys.implementation._mpy & 255:
            raise Ended(update.OTHER_BYTECODE)
        if not self._order.is_newer(version):
            raise Ended(update.NOT_NEWER)
        return files

    def _get_head(self, source, path, signature_size):
        part = path + _PART
        size = 2
        while True:
            have = max(0, slots.size_of(part))
            if have >= 2:
                with open(part, "rb") as file:
                    size = 2 + struct.unpack("<H", file.read(2))[0] + signature_size
                if size > _LONGEST_HEAD or have > size:
                    os.remove(part)
                    raise Ended(update.MALFORMED)
            if have == size:
                break
            self._append(source, part, 0, have, size)
        os.rename(part, path)

    def _clean(self, files):
        """Take away what the new version does not have; keep files that it has already, whoever fetched them."""
        wanted = {name: (size, sha256) for name, size, sha256 in files}
        for path in list(_walk(self._folder)):
            name = path[len(self._folder) + 1 :]
            base = name[: -len(_PART)] if name.endswith(_PART) else name
            if name == slots.HEAD + _NEW or base in wanted and base != name:
                continue
            if slots.size_of(path) != wanted.get(name, (-2,))[0] or slots.digest(path) != wanted[name]:
                os.remove(path)
        self._order.left = sum(
            size for name, size, _ in files if slots.size_of(self._folder + "/" + name) < 0
        )

    def _file(self, source, number, name, size, sha256):
        path = self._folder + "/" + name
        if slots.size_of(path) >= 0:
            return  # it has its name, so it was read back whole
        part = path + _PART
        _make_folders(path)
        running = slots.FOLDERS[slots.load(self._nvs)[0]] + "/" + name
        if slots.size_of(running) == size and slots.digest(running) == (size, sha256):
            _copy(running, part)
        have = max(0, slots.size_of(part))
        if not size:
            open(part, "wb").close()
        while have < size:
            self._append(source, part, number, have, size)
            have = slots.size_of(part)
        if slots.digest(part) != (size, sha256):
            os.remove(part)
            self._fail(update.BAD_FILE)
            raise frame.FrameError("a file does not have its hash")
        os.rename(part, path)
        self._order.left -= size

    def _append(self, source, part, number, have, size):
        pieces = b"".join(source(number, have, size))
        if not pieces:
            self._fail(update.NOT_THERE)
            raise frame.FrameError("the gateway does not have it")
        with open(part, "ab") as file:
            file.write(pieces)

    def _fail(self, reason):
        if self._order.failed():
            raise Ended(reason)

    def _put_head(self):
        path = self._folder + "/" + slots.HEAD
        if slots.size_of(path + _NEW) >= 0:
            os.rename(path + _NEW, path)


def _walk(folder):
    try:
        entries = list(os.ilistdir(folder))
    except OSError:
        return  # no such slot yet
    for entry in entries:
        path = folder + "/" + entry[0]
        if entry[1] == _FOLDER:
            yield from _walk(path)
        else:
            yield path


def _make_folders(path):
    parts = path.split("/")
    for count in range(2, len(parts)):
        try:
            os.mkdir("/".join(parts[:count]))
        except OSError as e:
            if e.errno != 17:  # EEXIST
                raise


def _copy(source, target):
    buf = bytearray(512)
    with open(source, "rb") as old, open(target, "wb") as new:
        while True:
            count = old.readinto(buf)
            if not count:
                return
            new.write(memoryview(buf)[:count])
