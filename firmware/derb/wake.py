"""Every way into a wake and out of it: whatever happens in between, the board ends asleep.

One code, two ways in: `main.py` of a stock image, and the frozen `_boot.py` of a custom one, which comes before any file
system is mounted.
"""

import gc
import os
import sys

import esp32
import machine
import micropython
from micropython import const

from derb import once
from derb.crumbs import LOAD, OTHER_SLOT, Crumbs
from derb.deadline import Deadline
from derb.memory import Memory
from derb.storage import Storage

_UNKNOWN_REST_MS = const(300000)  # the note itself could not be had
_LONGEST_REST_MS = const(21600000)
# Garbage is collected before it has spread over all of the heap, and what stays between it: else no long piece is left.
_COLLECT_BYTES = const(16384)
_STARTS_BORNE = const(2)  # cold starts in a row without a sleep, after which power is taken to be failing


def run(mounted=True):
    """Run one wake and sleep, whatever happens. Returns only to let a technician in."""
    gc.threshold(_COLLECT_BYTES)
    sleep_ms = _UNKNOWN_REST_MS
    crumbs = None
    try:
        memory = Memory(machine.RTC())
        crumbs = Crumbs(memory)
        sleep_ms = _wake(memory, crumbs, Storage(mounted))
        if sleep_ms is None:
            return
    except BaseException as e:
        # Nobody is there to see a prompt: an awake node empties its battery in days.
        gc.collect()
        if crumbs:
            crumbs.caught(e)
            sleep_ms = crumbs.rest_ms(_chance())
            _leave_slot(crumbs)
        sys.print_exception(e)
    machine.deepsleep(sleep_ms)


def _wake(memory, crumbs, storage):
    nvs = esp32.NVS("derb")
    if once.call("door", "opened", nvs, Deadline):
        crumbs.rest()
        storage.try_ready()
        return None
    micropython.kbd_intr(-1)  # from here on a byte on the console is nobody's wish
    # Without RTC memory only flash can tell that this is the tenth start in a minute.
    starts = once.call("starts", "count", nvs) if crumbs.cold else 0
    if crumbs.died or starts > _STARTS_BORNE:
        # What killed the last wake, a brownout perhaps, is not met again at once.
        crumbs.rest()
        _leave_slot(crumbs)
        print("derb rest", crumbs.failed_in, crumbs.failures, starts)
        return min(_LONGEST_REST_MS, crumbs.rest_ms(_chance()) << min(starts, 9))
    crumbs.enter(LOAD)
    from derb.node import Node

    node = Node(memory, crumbs, storage, nvs)
    sleep_ms = node.wake()
    if starts:
        once.call("starts", "forget", nvs)
    crumbs.leave()
    if node.reboot:
        machine.reset()
    return sleep_ms


def _leave_slot(crumbs):
    if crumbs.level < OTHER_SLOT:
        return
    try:
        once.call("way_back", "leave_slot", esp32.NVS("derb"), crumbs)
    except Exception as e:
        print("derb slot", e)  # whatever it is, the node must come to its sleep


def _chance():
    return int.from_bytes(os.urandom(2), "little")
