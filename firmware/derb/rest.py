"""The last stage of a wake: for how long to sleep, and what may end it sooner."""

import time

from micropython import const

from derb import crumbs as step
from derb import queue

_LEAST_SLEEP_MS = const(1000)
_FETCH_PAUSE_S = const(20)


def run(node):
    """Set `node.sleep_ms`, arm the sensor's wire, save."""
    node.crumbs.enter(step.SLEEP)
    node.kept.awake_ms = time.ticks_diff(time.ticks_ms(), node.began_ms)
    now = node.clock.now()
    node.sleep_ms = max(_LEAST_SLEEP_MS, (_until(node, now) - now) * 1000)
    if node.watches and node.config.int_pin >= 0:
        from derb import power

        power.wake_on_high(node.esp32, node.machine.Pin(node.config.int_pin, node.machine.Pin.IN))
    queue.save(node)
    node.log("sleep", node.sleep_ms)


def _until(node, now):
    kept = node.kept
    until = kept.next_sense if node.crumbs.level < step.SIGN_OF_LIFE else now + node.config.wake_s
    if kept.failures:
        until = min(until, max(kept.next_send, now))
    elif node.update_wanted:
        until = min(until, now + _FETCH_PAUSE_S)
    return min(until, now + node.look_in_s) if node.look_in_s else until
