"""`os` with what the ESP32 port has; the laptop's own doors (system, getenv) are shut."""

import os as _real

from os import chdir, getcwd, ilistdir, listdir, mkdir, remove, rename, rmdir, stat, statvfs, unlink, urandom  # noqa: F401

VfsFat = _real.VfsFat
VfsLfs2 = _real.VfsLfs2
sep = "/"


def sync():
    pass


def uname():
    return ("esp32", "esp32", "1.25.0", "v1.25.0 on 2025-04-15", "Generic ESP32 module with ESP32")
