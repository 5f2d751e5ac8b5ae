# Reads a node's outbox as its own next connection would: the frames that it would send, signed by itself. Changes nothing.
import os
import time

import esp32
import machine
from derb import VERSION, frame
from derb.clock import Clock, seconds
from derb.crumbs import Crumbs
from derb.kept import Kept
from derb.memory import Memory
from derb.node import blob
from derb.outbox import Outbox
from derb.segments import Segments

_NEVER = 1 << 30  # later than every boot: all that is on flash is from before the last loss of power
_PAGE = 4  # frames
nvs = esp32.NVS("derb")
state = {}


def begin(unix_s):
    # `unix_s`: the laptop's time if it is known to be right, else 0; readings with a time of their own get true ages by it.
    machine.WDT(timeout=1800000)
    memory = Memory(machine.RTC())
    kept = Kept(memory.load())
    clock = Clock(seconds(time, machine, nvs), kept.unix_at_zero)
    if unix_s and not clock.known:
        clock.learn(unix_s)
    segments = Segments("/outbox")
    outbox = Outbox(lambda: segments, clock, None)
    warm = outbox.restore(kept.outbox)
    if not warm:
        outbox.power_boot = _NEVER
    state["frames"] = _frames(outbox, clock)
    state["page"] = -1
    state["known"] = clock.known
    return {
        "node": machine.unique_id().hex(),
        "version": VERSION,
        "rtc_memory": warm,
        "readings": len(outbox),
        "damaged_bytes": segments.damaged,
        "unreadable_files": segments.unreadable,
        "unix_s": clock.to_unix(clock.now()),
    }


def _frames(outbox, clock):
    key, node = blob(nvs, "key", frame.KEY_SIZE), machine.unique_id()
    for boot, kind, run, age_s, age_is_bound in outbox.batches():
        while run:
            packed, taken = frame.encode(key, node, kind, boot, age_s, age_is_bound, run)
            run = run[taken:]
            yield packed.hex(), taken


def page(number):
    # Asked again after a damaged answer, it gives the same page again.
    if number == state["page"] + 1:
        page = []
        for each in state["frames"]:
            page.append(each)
            if len(page) == _PAGE:
                break
        state["page"], state["last"] = number, page
    return state["last"]


def health():
    memory = Memory(machine.RTC())
    crumbs = Crumbs(memory)
    kept = Kept(memory.load())
    return {
        "reset_cause": machine.reset_cause(),
        "cold": crumbs.cold,
        "safe_level": crumbs.level,
        "wakes_failed": crumbs.failures,
        "failed_phase": crumbs.failed_in,
        "failed_cause": crumbs.cause,
        "failures_in_a_row": kept.failures,
        "awake_ms": kept.awake_ms,
        "rssi_dbm": kept.rssi_dbm,
        "shed": kept.shed_told,
        "resets_watchdog": kept.vitals.resets_watchdog,
        "resets_hard": kept.vitals.resets_hard,
        "heap_low": kept.vitals.heap_low,
        "numbers": dict(_numbers()),
        "files": _files("/"),
    }


def _numbers():
    for name in ("boot", "starts", "cfg_top", "cfg_tries", "door_pin"):
        try:
            yield name, nvs.get_i32(name)
        except OSError:
            pass  # was never written


def _files(folder):
    found = {}
    for entry in os.ilistdir(folder):
        path = folder.rstrip("/") + "/" + entry[0]
        if entry[1] == 0x4000:
            if path in ("/", "/outbox"):
                found.update(_files(path))
        else:
            found[path] = os.stat(path)[6]
    return found
