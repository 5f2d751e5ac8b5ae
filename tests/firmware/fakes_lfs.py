"""A real littlefs on flash in RAM, where the power can go at any write: of a block, of an erase, of NVS."""

import os

import vfs
from fakes_nvs import FakeNvs

BLOCK = 4096
ROOT = "/flash"
MODES = ("before", "torn", "after")


class Cut(Exception):
    """The power is gone; nothing that catches OSError sees it."""


class Meter:
    """Counts writes from 1; at number `cut_at` the power goes before, in the middle of or after it."""

    def __init__(self, cut_at=0, mode="before"):
        self.writes = 0
        self.cut_at = cut_at
        self.mode = mode
        self.over = False

    def step(self):
        if self.over:
            raise Cut
        self.writes += 1
        if self.writes != self.cut_at:
            return None
        self.over = True
        if self.mode == "before":
            raise Cut
        return self.mode


class Flash:
    """NOR flash: a program clears bits, an erase sets them."""

    def __init__(self, image, meter):
        self.image = image
        self._meter = meter

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = memoryview(self.image)[at : at + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        how = self._meter.step()
        count = len(buf) // 2 if how == "torn" else len(buf)
        at = block * BLOCK + offset
        for i in range(count):
            self.image[at + i] &= buf[i]
        if how:
            raise Cut

    def ioctl(self, op, block):
        if op == 4:
            return len(self.image) // BLOCK
        if op == 5:
            return BLOCK
        if op == 6:
            how = self._meter.step()
            count = BLOCK // 2 if how == "torn" else BLOCK
            self.image[block * BLOCK : block * BLOCK + count] = b"\xff" * count
            if how:
                raise Cut
        return 0


class MeteredNvs(FakeNvs):
    """NVS whose entries count with the blocks; each is old or new, never torn."""

    def __init__(self, kept, meter):
        super().__init__(kept)
        self._meter = meter

    def commit(self):
        for name in list(self._pending):
            how = self._meter.step()
            if how != "torn":
                value = self._pending.pop(name)
                if value is None:
                    self.kept.pop(name, None)
                else:
                    self.kept[name] = value
            if how:
                raise Cut


class Board:
    """What of a board outlives the loss of power: the flash and NVS."""

    def __init__(self, blocks=64, like=None):
        self.image = bytearray(like.image if like else b"\xff" * (blocks * BLOCK))
        self.kept = dict(like.kept) if like else {}
        if not like:
            vfs.VfsLfs2.mkfs(Flash(self.image, Meter()))

    def copy(self):
        return Board(like=self)

    def on(self, meter=None):
        """Power on; return NVS."""
        meter = meter or Meter()
        self.off()
        vfs.mount(vfs.VfsLfs2(Flash(self.image, meter)), ROOT)
        return MeteredNvs(self.kept, meter)

    def off(self):
        try:
            vfs.umount(ROOT)
        except OSError:
            return  # not mounted

    def files(self, folder=""):
        """Return {path: size} of a folder."""
        found = {}
        for name, kind, *_ in os.ilistdir(ROOT + folder):
            path = folder + "/" + name
            if kind == 0x4000:
                found.update(self.files(path))
            else:
                found[path] = os.stat(ROOT + path)[6]
        return found
