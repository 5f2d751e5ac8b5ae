"""Boot numbers: each is on flash before its first use, so that no two readings ever have the same identity."""

import os

from micropython import const

_FIRST = const(8192)  # up to twice of it a boot number takes two bytes


def take_boot(nvs, open_segments):
    """Return a new boot number; `nvs` as esp32.NVS, `open_segments()` gives the Segments."""
    # The files know better than a lost or torn NVS.
    boot = max(_number(nvs), _last_on_flash(open_segments)) + 1
    if boot == 1:
        # Nothing here remembers a former life, but the gateway may: begin where the last one hardly was.
        boot = _FIRST + int.from_bytes(os.urandom(2), "little") % _FIRST
    nvs.set_i32("boot", boot)
    nvs.commit()
    return boot


def _last_on_flash(open_segments):
    try:
        return max([segment.last[0] for segment in open_segments().index()] or [0])
    except OSError:
        return 0  # a file system that cannot be read says nothing; NVS has to do


def _number(nvs):
    try:
        return nvs.get_i32("boot")
    except OSError:
        return 0  # not there yet
