"""Which copy of the application runs: as flashed, or from /a or /b. This file itself is never updated over the air.

The choice is one entry of NVS, old or new and never torn. A new copy is on trial: each start with it is counted before any of
it runs, and after the last one that was not confirmed the copy before it is back. `nvs` is as esp32.NVS everywhere.
"""

import hashlib
import os
import struct

FOLDERS = ("", "/a", "/b")
SETTLED = 0
TRIAL = 1
RETURNED = 2
TRIES = 8
HEAD = "head"  # of the release, in the slot's folder: length of the manifest, manifest, signature

_FORMAT = "<BBBBI"  # active, previous, state, tries, version of the copy on trial or left
_MAGIC = b"DRBM\x01"
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./"
_MOST_FILES = 160
_BLOCK = 512


def load(nvs):
    """Return [active, previous, state, tries, version]; what is not sound is as flashed."""
    buf = bytearray(8)
    try:
        if nvs.get_blob("slot", buf) == 8:
            choice = list(struct.unpack(_FORMAT, buf))
            if choice[0] < len(FOLDERS) and choice[1] < len(FOLDERS):
                return choice
    except OSError:
        pass  # never updated
    return [0, 0, SETTLED, 0, 0]


def _save(nvs, choice):
    nvs.set_blob("slot", struct.pack(_FORMAT, *choice))
    nvs.commit()


def enter(nvs, cold, path):
    """Put the folder to run from on `path`; `cold`: not the end of a sleep, so there is time to look at every byte."""
    choice = load(nvs)
    if choice[2] == TRIAL:
        if choice[3] >= TRIES:
            choice = fall_back(nvs)
        else:
            choice[3] += 1
            _save(nvs, choice)
    if cold and choice[0] and not intact(FOLDERS[choice[0]]):
        choice = fall_back(nvs)
    if choice[0]:
        path.insert(0, FOLDERS[choice[0]])


def target(nvs):
    """Return the number of the slot that the next update goes to."""
    return 2 if load(nvs)[0] == 1 else 1


def switch(nvs, version):
    """Run the target slot from the next start on, on trial."""
    new = target(nvs)
    _save(nvs, [new, load(nvs)[0], TRIAL, 0, version])


def confirm(nvs):
    """The copy on trial has proven itself; return whether that is news."""
    choice = load(nvs)
    if choice[2] != TRIAL:
        return False
    choice[2] = SETTLED
    _save(nvs, choice)
    return True


def forget(nvs):
    """No longer say that a copy was left."""
    choice = load(nvs)
    if choice[2] == RETURNED:
        choice[2], choice[4] = SETTLED, 0
        _save(nvs, choice)


def fall_back(nvs):
    """Leave the active copy for the one before it, or for the one as flashed; return the new choice."""
    active, previous, state, _, version = load(nvs)
    if previous == active or not previous or not intact(FOLDERS[previous]):
        previous = 0
    choice = [previous, 0, RETURNED if state == TRIAL else state, 0, version]
    if active:
        _save(nvs, choice)
    return choice


def suspect(nvs):
    """After a crash: leave the active copy if a byte of it is not as it was signed; return whether it was left."""
    active = load(nvs)[0]
    if active and not intact(FOLDERS[active]):
        fall_back(nvs)
        return True
    return False


def manifest(head):
    """Return (version, bytecode, board, files, end) of a release's head; a file is (name, size, SHA-256). Raise ValueError."""
    try:
        end = 2 + struct.unpack("<H", head[:2])[0]
        if head[2:7] != _MAGIC or end > len(head):
            raise ValueError("no manifest")
        version, bytecode, length = struct.unpack("<IBB", head[7:13])
        at = 13 + length
        board = str(head[13:at], "ascii")
        count = head[at]
        at += 1
        files = []
        for _ in range(count):
            at = _file(head, at, files)
    except (IndexError, UnicodeError):
        raise ValueError("manifest cut off")
    if at != end or not 1 <= count <= _MOST_FILES or len({each[0] for each in files}) != count:
        raise ValueError("manifest malformed")
    return version, bytecode, board, files, end


def _file(head, at, files):
    length = head[at]
    at += 1
    raw = bytes(head[at : at + length])
    at += length
    if not raw or any(letter not in _LETTERS for letter in raw) or raw[:5] == b"head.":
        raise ValueError("file name")
    name = str(raw, "ascii")
    if name == HEAD or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError("file name")
    if at + 36 > len(head):
        raise ValueError("manifest cut off")
    files.append((name, struct.unpack("<I", head[at : at + 4])[0], bytes(head[at + 4 : at + 36])))
    return at + 36


def intact(folder):
    """Return whether every byte in a slot is as its manifest says."""
    try:
        with open(folder + "/" + HEAD, "rb") as file:
            files = manifest(file.read())[3]
        return all(digest(folder + "/" + name) == (size, sha256) for name, size, sha256 in files)
    except (OSError, ValueError):
        return False


def digest(path):
    """Return (size, SHA-256) of a file as it is on flash; raise OSError."""
    sha256 = hashlib.sha256()
    buf = bytearray(_BLOCK)
    size = 0
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buf)
            if not count:
                return size, sha256.digest()
            sha256.update(memoryview(buf)[:count])
            size += count


def size_of(path):
    """Return how many bytes a file has, -1 if there is none."""
    try:
        return os.stat(path)[6]
    except OSError:
        return -1
