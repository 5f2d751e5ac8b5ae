"""Makes a littlefs image with files of the laptop in it."""

import os
import vfs

import simctl

_BLOCK_BYTES = 4096
_ENTRIES_TO_FILL = 2 * _BLOCK_BYTES // 400
_NAMES_OF_A_PAIR = 8
_MOUNT = "/derb-new-flash"


class _Image:
    def __init__(self, path, blocks):
        self._blocks = blocks
        self._file = open(path, "w+b")
        erased = b"\xff" * _BLOCK_BYTES
        for _ in range(blocks):
            self._file.write(erased)

    def readblocks(self, block, buf, offset=0):
        self._file.seek(block * _BLOCK_BYTES + offset)
        self._file.readinto(buf)

    def writeblocks(self, block, buf, offset=0):
        self._file.seek(block * _BLOCK_BYTES + offset)
        self._file.write(buf)

    def ioctl(self, op, block):
        if op == 4:
            return self._blocks
        if op == 5:
            return _BLOCK_BYTES
        if op == 6:
            self._file.seek(block * _BLOCK_BYTES)
            self._file.write(b"\xff" * _BLOCK_BYTES)
        return 0


def _copy(source, target, made):
    parts = target.split("/")[1:-1]
    for depth in range(len(parts)):
        folder = _MOUNT + "/" + "/".join(parts[: depth + 1])
        if folder not in made:
            made.add(folder)
            os.mkdir(folder)
    with open(source, "rb") as old, open(_MOUNT + target, "wb") as new:
        new.write(old.read())


def _double(folder):
    # As an image for a real board: both blocks of every pair of blocks of a folder hold all of it.
    names = sorted(os.listdir(folder))
    for i in range(0, len(names), _NAMES_OF_A_PAIR):
        _fill(folder, names[i])
    _fill(folder, "x")


def _fill(folder, name):
    path = folder + "/" + name + "x" * (200 - len(name))
    for _ in range(_ENTRIES_TO_FILL):
        open(path, "wb").close()
        os.remove(path)


def make(order):
    """Make `order`: {"image": path, "blocks": n, "files": [[from, to], ...], "folders": [path, ...]}."""
    image = _Image(order["image"], order["blocks"])
    vfs.VfsLfs2.mkfs(image)
    vfs.mount(vfs.VfsLfs2(image), _MOUNT)
    made = set()
    for source, target in order["files"]:
        _copy(source, target, made)
    for folder in order["folders"]:
        made.add(_MOUNT + folder)
        os.mkdir(_MOUNT + folder)
    for folder in [_MOUNT] + sorted(made):
        _double(folder)
    vfs.umount(_MOUNT)
    simctl.image_made()
