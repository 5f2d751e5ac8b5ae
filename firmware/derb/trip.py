"""One connection of a wake: send, take receipts and orders, and note how it went."""

import gc
import sys
import time

from derb import crumbs as step
from derb.links import LinkError
from derb.links.ways import Means, ways_out
from derb.sender import Sender


class Trip:
    """`node` is derb.node.Node. The watchdog is fed once, before; behind that stands the wake's budget."""

    def __init__(self, node):
        self._node = node
        # In safe mode nothing from afar is obeyed but receipts.
        self._obeys = node.upkeep is not None and node.crumbs.level < step.PLAIN

    def run(self):
        """Go, come back with the radio off; whatever happened out there is counted and does not end the wake."""
        node = self._node
        gc.collect()
        node.crumbs.enter(step.RADIO)
        node.watchdog.feed()
        deadline = node.budget.within(node.config.awake_ms)
        hear = node.upkeep.orders.hear if self._obeys else None
        sender = Sender(node.id, node.key, node.outbox, node.clock, node.log, node.new, hear)
        means = Means(
            node.config, node.id, node.key, node.nvs, node.remembered, node.crumbs.enter, node.clock.now
        )
        link = ways_out(means, node.kept.detours, node.kept.failures)
        if node.upkeep:
            node.upkeep.connecting()
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

    def _exchange(self, link, sender, deadline):
        node, vitals = self._node, self._node.kept.vitals
        began_ms = time.ticks_ms()
        link.open(deadline)
        node.crumbs.enter(step.EXCHANGE)
        vitals.connect_ms = time.ticks_diff(time.ticks_ms(), began_ms)
        began_ms = time.ticks_ms()
        delivered = sender.run(link, deadline)
        vitals.exchange_ms = time.ticks_diff(time.ticks_ms(), began_ms)
        vitals.loaded(node.battery_mv(radio=True))
        if delivered and self._obeys:
            node.crumbs.enter(step.ORDERS)
            node.upkeep.connected(link, sender, deadline)
        return delivered

    def _judge(self, link, sender, delivered):
        node, upkeep = self._node, self._node.upkeep
        node.kept.detours, node.kept.rssi_dbm = link.detours, link.rssi_dbm or node.kept.rssi_dbm
        if not delivered:
            node.remembered.forget()
        damaged = node.segments.damaged + node.segments.unreadable if node.segments else 0
        if sender.refused or damaged:
            node.log("odd", sender.refused, damaged)
        node.judged(delivered)
        if upkeep:
            upkeep.ended(delivered, sender)
            self._follow(upkeep)

    def _follow(self, upkeep):
        node = self._node
        node.reboot = upkeep.reboot
        if upkeep.forget_place:
            node.sensing = node.make_sensing(b"")
        if upkeep.report_soon:
            node.kept.next_health = 0
        if upkeep.measure_soon:
            node.kept.next_sense = node.clock.now()
