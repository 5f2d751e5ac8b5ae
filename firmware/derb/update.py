"""An update over the air: fetched in pieces over many wakes, proven by its signature, tried, and kept or left.

NVS has `upd`, what was ordered and how it ended; `upd_key`, the public key; `upd_top`, the highest version that was ever
confirmed. How far it is, the files in the slot's folder say: one has its own name only once it was read back whole.
"""

import os
import struct
import sys

import slots
from micropython import const

from derb import VERSION, frame

NONE = const(0)
FETCHING = const(1)
ON_TRIAL = const(2)
CONFIRMED = const(3)
RETURNED = const(4)
_REFUSED = const(16)  # and the reason above it

NO_KEY = const(1)
BAD_SIGNATURE = const(2)
MALFORMED = const(3)
OTHER_BOARD = const(4)
OTHER_BYTECODE = const(5)
NOT_NEWER = const(6)
BAD_FILE = const(7)
NO_ROOM = const(8)
NOT_THERE = const(9)
TOO_LATE = const(10)
NOT_PROVEN = const(11)

_FOLDER = const(0x4000)
_FORMAT = "<IIIBB"  # version, id of the command, its deadline, state, failures
_SIZE = const(14)
_MOST_FAILURES = const(3)
_LONGEST_HEAD = const(12288)
_KEY_SIZE = const(56)  # of an LMS public key
_PART = ".part"
_NEW = ".new"  # a head whose files are not all there yet


class Ended(Exception):
    """The update is over; the argument is the reason."""


class Update:
    """The update of one node; `board` is the name that a manifest must have."""

    def __init__(self, nvs, board):
        self._nvs = nvs
        self._board = board
        self.left = 0  # bytes still to fetch, as far as that is known
        self.version, self.command, self._deadline, self._state, self._failures = self._load()

    def _load(self):
        buf = bytearray(_SIZE)
        try:
            if self._nvs.get_blob("upd", buf) == _SIZE:
                return struct.unpack(_FORMAT, buf)
        except OSError:
            pass  # none yet
        return 0, 0, 0, NONE, 0

    def _save(self):
        raw = struct.pack(
            _FORMAT, self.version, self.command, self._deadline, self._state, min(255, self._failures)
        )
        self._nvs.set_blob("upd", raw)
        self._nvs.commit()

    @property
    def state(self):
        """One of the states above, as in health field 28."""
        choice = slots.load(self._nvs)
        if self._state == FETCHING and choice[2] == slots.TRIAL:
            return ON_TRIAL
        return self._state

    @property
    def on_trial(self):
        """Whether what runs now, or will after the next start, is not confirmed."""
        return self.state == ON_TRIAL

    @property
    def wanted(self):
        """Whether there is something to fetch."""
        return self.state == FETCHING

    def begin(self, version, command, deadline):
        """Take the order to update; return 0, or the reason to refuse it."""
        reason = 0
        if not self._key():
            reason = NO_KEY
        elif version <= VERSION or version < self._top():
            reason = NOT_NEWER
        elif self.state == ON_TRIAL:
            reason = NOT_PROVEN
        else:
            self._forget()
            self.version, self.command, self._deadline = version, command, deadline
            self._state, self._failures = FETCHING, 0
            self._save()
        return reason

    def _forget(self):
        # What an earlier order began may be another release of the same version.
        slots.forget(self._nvs)
        folder = slots.FOLDERS[slots.target(self._nvs)]
        for path in list(_walk(folder)):
            if path[-len(_PART) :] == _PART or path[-len(_NEW) :] == _NEW:
                os.remove(path)

    def news(self):
        """Return the reason if an update ended before this wake: 0 for a confirmed one; None if none did."""
        _, _, state, _, version = slots.load(self._nvs)
        if self._state != FETCHING or version != self.version or state == slots.TRIAL:
            return None
        if state == slots.RETURNED:
            self._end(RETURNED)
            return NOT_PROVEN
        # Power went between the confirmation and the note of it.
        self._end(CONFIRMED)
        return 0

    def prove(self):
        """A receipt came in this very wake: what is on trial stays. Return whether that is news."""
        if self.state != ON_TRIAL or self.version != VERSION:
            return False
        # The version is noted first: once it is confirmed, no older one may ever be taken.
        self._nvs.set_i32("upd_top", max(self.version, self._top()))
        self._nvs.commit()
        slots.confirm(self._nvs)
        self._end(CONFIRMED)
        return True

    def fetch(self, source, now_s):
        """Fetch until all is there and switch; `source(file, offset, size)` yields pieces, in order, and may raise LinkError.

        `now_s` is Unix time, 0 if it is not known. Return 0 when the new version is to be tried, else the reason why not.
        """
        folder = slots.FOLDERS[slots.target(self._nvs)]
        try:
            if now_s and now_s > self._deadline:
                raise Ended(TOO_LATE)
            files = self._head(source, folder)
            self._clean(folder, files)
            for number, (name, size, sha256) in enumerate(files):
                self._file(source, folder, number + 1, name, size, sha256)
            self._put_head(folder)
            if not slots.intact(folder):
                raise Ended(BAD_FILE)
        except Ended as e:
            self._end(_REFUSED + e.args[0])
            return e.args[0]
        except OSError as e:
            if e.errno != 28:  # ENOSPC
                raise
            self._end(_REFUSED + NO_ROOM)
            self._wipe(folder)
            return NO_ROOM
        slots.switch(self._nvs, self.version)
        return 0

    def _end(self, state):
        self._state = state
        self._save()

    def _key(self):
        buf = bytearray(_KEY_SIZE)
        try:
            return bytes(buf[: self._nvs.get_blob("upd_key", buf)])
        except OSError:
            return b""  # this node takes no updates

    def _top(self):
        try:
            return self._nvs.get_i32("upd_top")
        except OSError:
            return 0  # nothing was ever confirmed

    def _head(self, source, folder):
        """Return the files of the manifest, which is ours and signed."""
        from derb import lms

        path = folder + "/" + slots.HEAD + _NEW
        _make_folders(path)
        if slots.size_of(path) < 0:
            self._get_head(source, path, lms.signature_size(self._key()))
        with open(path, "rb") as file:
            head = file.read()
        try:
            version, bytecode, board, files, end = slots.manifest(head)
        except ValueError:
            raise Ended(MALFORMED)
        # Before anything else of it is believed.
        if not lms.verify(self._key(), head[2:end], head[end:]):
            raise Ended(BAD_SIGNATURE)
        if version != self.version:
            raise Ended(MALFORMED)
        if board not in ("*", self._board):
            raise Ended(OTHER_BOARD)
        if bytecode != sys.implementation._mpy & 255:
            raise Ended(OTHER_BYTECODE)
        if version <= VERSION or version < self._top():
            raise Ended(NOT_NEWER)
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
                    raise Ended(MALFORMED)
            if have == size:
                break
            self._append(source, part, 0, have, size)
        os.rename(part, path)

    def _clean(self, folder, files):
        """Take away what the new version does not have; keep files that it has already, whoever fetched them."""
        wanted = {name: (size, sha256) for name, size, sha256 in files}
        for path in list(_walk(folder)):
            name = path[len(folder) + 1 :]
            base = name[: -len(_PART)] if name.endswith(_PART) else name
            if name == slots.HEAD + _NEW or base in wanted and base != name:
                continue
            if slots.size_of(path) != wanted.get(name, (-2,))[0] or slots.digest(path) != wanted[name]:
                os.remove(path)
        self.left = sum(size for name, size, _ in files if slots.size_of(folder + "/" + name) < 0)

    def _file(self, source, folder, number, name, size, sha256):
        path = folder + "/" + name
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
            self._fail(BAD_FILE)
            raise frame.FrameError("a file does not have its hash")
        os.rename(part, path)
        self.left -= size

    def _append(self, source, part, number, have, size):
        pieces = b"".join(source(number, have, size))
        if not pieces:
            self._fail(NOT_THERE)
            raise frame.FrameError("the gateway does not have it")
        with open(part, "ab") as file:
            file.write(pieces)

    def _fail(self, reason):
        self._failures += 1
        if self._failures >= _MOST_FAILURES:
            raise Ended(reason)
        self._save()

    def _put_head(self, folder):
        path = folder + "/" + slots.HEAD
        if slots.size_of(path + _NEW) >= 0:
            os.rename(path + _NEW, path)

    def _wipe(self, folder):
        for path in list(_walk(folder)):
            os.remove(path)


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
