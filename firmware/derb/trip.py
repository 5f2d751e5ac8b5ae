"""The stage of a wake that sends: one connection, receipts and orders, and how it went."""

import gc
import os
import sys
import time

from derb import crumbs as step
from derb.backoff import backoff_s
from derb.drivers.battery import millivolts
from derb.links import LinkError
from derb.links.remembered import Remembered
from derb.links.ways import Means, ways_out
from derb.sender import Sender


def run(node):
    """Go, if it is time to, and come back with the radio off; what happened out there does not end the wake."""
    if is_due(node):
        Trip(node).run()


def is_due(node):
    """Return whether there is a reason to send now, and nothing against it."""
    kept, config = node.kept, node.config
    if node.clock.now() < kept.next_send and not node.must_speak:
        return False
    if node.battery_mv is not None and node.battery_mv < config.radio_min_mv:
        node.log("gated", node.battery_mv)  # a transmission could be what resets the chip
        return False
    if node.must_speak:
        return True
    if node.update_wanted or not len(node.outbox):
        return node.update_wanted
    if any(urgent for _, _, urgent in node.said) or kept.failures or node.crumbs.level:
        return True
    return config.kind == "parking" or len(node.outbox) >= config.report_every


class Trip:
    """The watchdog is fed once, before; behind that stands the wake's budget."""

    def __init__(self, node):
        self._node = node
        self._upkeep = self._fresh_s = None
        # In safe mode nothing from afar is obeyed but receipts.
        self._obeys = node.version is not None and node.crumbs.level < step.PLAIN
        config = node.config
        names = (config.ssid, config.broker, config.port)
        way = node.kept.way if node.crumbs.level < step.PLAIN else b""
        self._remembered = Remembered(way, node.clock.now, config.lease_s, names)

    def run(self):
        """Go and come back; whatever happened out there is counted."""
        node = self._node
        gc.collect()
        node.crumbs.enter(step.RADIO)
        node.feed()
        deadline = node.budget.within(node.config.awake_ms)
        hear = self._hear if self._obeys else None
        sender = Sender(node.id, node.key, node.outbox, node.clock, node.log, self._new(), hear)
        link = ways_out(self._means(), node.kept.detours, node.kept.failures)
        if node.on_trial:
            self._need_upkeep().connecting()
        delivered = False
        try:
            delivered = self._exchange(link, sender, deadline)
        except LinkError as e:
            node.log("failed", e)
        except Exception as e:
            # Whatever a stranger at the broker made happen: the readings must still reach the flash, the radio its rest.
            sys.print_exception(e)
        gc.collect()
        node.kept.vitals.heap(gc.mem_free())
        link.close()
        self._judge(link, sender, delivered)

    def _hear(self, unix_s, fresh, sections):
        if self._upkeep or sections:
            self._need_upkeep().hear(unix_s, fresh, sections)
        elif fresh:
            self._fresh_s = unix_s

    def _need_upkeep(self):
        if self._upkeep is None:
            from derb.upkeep import Upkeep

            self._upkeep = Upkeep(self._node, self._fresh_s)
        return self._upkeep

    def _new(self):
        """Return the first identity that cannot have been transmitted before."""
        node = self._node
        return node.outbox.boot, node.first_sequence

    def _means(self):
        node = self._node
        return Means(
            node.config,
            node.id,
            node.key,
            node.nvs,
            self._remembered,
            node.crumbs.enter,
            node.clock.now,
        )

    def _exchange(self, link, sender, deadline):
        node, vitals = self._node, self._node.kept.vitals
        began_ms = time.ticks_ms()
        link.open(deadline)
        node.crumbs.enter(step.EXCHANGE)
        vitals.connect_ms = time.ticks_diff(time.ticks_ms(), began_ms)
        began_ms = time.ticks_ms()
        delivered = sender.run(link, deadline)
        vitals.exchange_ms = time.ticks_diff(time.ticks_ms(), began_ms)
        vitals.loaded(millivolts(node.config, radio=True))
        if delivered and self._obeys:
            node.crumbs.enter(step.ORDERS)
            if self._upkeep or node.update_on_trial or node.update_wanted:
                self._need_upkeep().connected(link, sender, deadline)
        return delivered

    def _judge(self, link, sender, delivered):
        node, kept = self._node, self._node.kept
        kept.detours, kept.rssi_dbm = link.detours, link.rssi_dbm or kept.rssi_dbm
        if not delivered:
            self._remembered.forget()
        kept.way = self._remembered.dumps()
        damaged = node.segments.damaged + node.segments.unreadable if node.segments else 0
        if sender.refused or damaged:
            node.log("odd", sender.refused, damaged)
        kept.vitals.connections_failed += not delivered
        kept.vitals.downlinks_refused += sender.refused
        kept.failures = 0 if delivered else min(255, kept.failures + 1)
        kept.next_send = 0 if delivered else node.clock.now() + _wait_s(kept.failures, node.config)
        if self._upkeep:
            self._upkeep.ended(delivered)
            self._follow()

    def _follow(self):
        kept = self._node.kept
        if self._upkeep.report_soon:
            kept.next_health = 0
        if self._upkeep.changed:
            kept.next_sense = self._node.clock.now()


def _wait_s(failures, config):
    return backoff_s(failures, config.backoff_max_s, int.from_bytes(os.urandom(2), "little"))
