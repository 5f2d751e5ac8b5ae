"""Boot numbers: each is on flash before its first use, so that no two readings ever have the same identity."""

import os

from micropython import const

_FIRST = const(8192)  # up to twice of it a boot number takes two bytes
_LAST = const(0x3FFFFFFF)  # a small number on every board


def begin(node):
    """Begin a new boot for derb.node.Node: what RTC memory held is gone, not to be believed, or of another time line."""
    from derb import queue

    kept, clock = node.kept, node.clock
    if queue.recall(node):
        # The clock went back: what is kept was stamped on another time line, so it becomes a former boot's.
        node.outbox.settle()
        clock.unix_at_zero = kept.next_sense = kept.next_send = kept.next_health = 0
        kept.sensing = b""
    node.outbox.start()
    queue.put_back(node)


def take_boot(nvs, open_segments):
    """Return a new boot number; `nvs` as esp32.NVS, `open_segments()` gives the Segments."""
    # The files know better than a lost or torn NVS.
    boot = max(_number(nvs), _last_on_flash(open_segments)) + 1
    if not 1 < boot <= _LAST:
        # Nothing here remembers a former life, or nonsense; but the gateway may: begin where the last one hardly was.
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
