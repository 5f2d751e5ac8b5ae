"""The first stage of a wake: the configuration in force, and what is remembered of the wakes before."""

import time

from micropython import const

from derb import config as configuration
from derb import crumbs as step
from derb import once, queue_record
from derb.clock import Clock, seconds
from derb.deadline import Deadline
from derb.kept import Kept
from derb.node import blob

_WATCHDOG_MARGIN_MS = const(15000)
_LONGEST_CONFIG = const(2048)
_LONGEST_SECTION = const(255)
_KEY_SIZE = const(32)


def run(node):
    """Fill in what the node is to be in this wake."""
    node.crumbs.enter(step.LOAD)
    damaged = _configure(node)
    node.key = blob(node.nvs, "key", _KEY_SIZE)
    config = node.config
    node.watchdog = node.machine.WDT(timeout=config.awake_ms + _WATCHDOG_MARGIN_MS)
    # The one budget of this wake: nothing below waits without a part of it, and the watchdog bites behind it.
    sensing_ms = config.episode_s * 1000 if config.kind == "parking" else config.awake_ms
    node.budget = Deadline(sensing_ms + config.awake_ms)
    node.kept = kept = Kept(node.memory.load())
    kept.vitals.woke(node.machine.reset_cause())
    if damaged is not None:
        kept.vitals.damaged = damaged
    node.clock = Clock(seconds(time, node.machine, node.nvs), kept.unix_at_zero)
    _recall(node)


def _configure(node):
    """Choose the configuration; return how many from afar were damaged, None in deep safe mode."""
    raw = blob(node.nvs, "cfg", _LONGEST_CONFIG)
    if node.crumbs.level >= step.PROVISIONED:
        node.config = configuration.vital(raw)
        return None
    provisioned = configuration.parse(raw)
    if not _was_changed(node.nvs):
        node.config, node.version, node.top = configuration.checked(**provisioned), 0, 0
        return 0
    from derb.remote import Remote

    remote = Remote(node.nvs, provisioned)
    node.config, node.version, node.top = remote.config, remote.version, remote.top
    node.on_trial = remote.on_trial
    return remote.damaged


def _was_changed(nvs):
    """Return whether the gateway ever sent a configuration."""
    for name in ("cfg_try", "cfg_ok"):
        try:
            nvs.get_blob(name, bytearray(_LONGEST_SECTION))
            return True
        except OSError:
            pass  # not there
    try:
        return bool(nvs.get_i32("cfg_top"))
    except OSError:
        return False


def _recall(node):
    kept = node.kept
    kept.look_ahead(node.clock.now())
    next_sequence = queue_record.next_sequence(kept.outbox)
    if next_sequence is None or kept.saved_s > node.clock.now():
        once.call("boots", "begin", node)
        next_sequence = 0
    node.first = next_sequence == 0
