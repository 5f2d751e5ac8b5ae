"""What comes and goes beside readings while a connection is open: configuration, commands, updates. Loaded as it is needed."""

from derb import queue, reading


class Upkeep:
    """One connection's worth of it. `node` is derb.node.Node.

    `changed`: the next wake begins at once, with what changed; `report_soon`: it tells how the node is.
    """

    def __init__(self, node, fresh_s):
        """`fresh_s`: gateway time of the last downlink before that cannot be an old one, None if there was none."""
        self._node = node
        self._orders = self._kept_remote = None
        self._fresh_s = fresh_s
        self.changed = self.report_soon = False

    def _remote(self):
        if self._kept_remote is None:
            from derb import config as configuration
            from derb.node import blob
            from derb.remote import Remote

            node = self._node
            self._kept_remote = Remote(node.nvs, configuration.parse(blob(node.nvs, "cfg", 2048)))
        return self._kept_remote

    def hear(self, unix_s, fresh, sections):
        """Take what a downlink holds besides receipts; `fresh`: it cannot be one that was sent before this connection."""
        if self._orders is None and sections:
            from derb.orders import Orders

            self._orders = Orders(self._node.nvs, self._remote, self._node.clock, self._fresh_s)
        if self._orders:
            self._orders.hear(unix_s, fresh, sections)
        elif fresh:
            self._fresh_s = unix_s

    def connecting(self):
        """A connection begins."""
        if self._node.on_trial:
            self._gave_up(self._remote().attempt())

    def connected(self, link, sender, deadline):
        """All receipts came: what is on trial has proven itself, and what the gateway wants is here."""
        node = self._node
        if sender.proven:
            self._prove(link, sender, deadline)
        if self._orders and self._orders.waiting():
            from derb.chores import Chores

            chores = Chores(node, self._orders)
            chores.run(link, sender, deadline)
            node.reboot = chores.reboot
            self.report_soon = chores.diagnostics
            self.changed = chores.recalibrate or chores.diagnostics
        if node.update_wanted:
            from derb import fetch

            fetch.run(node, link, sender, deadline)

    def _prove(self, link, sender, deadline):
        node = self._node
        if node.on_trial and self._remote().confirm():
            node.on_trial = False
            node.log("config", node.version)
        if not node.update_on_trial:
            return
        from derb.update import Update

        update = Update(node.nvs, node.config.board)
        if update.prove():
            node.update_on_trial = False
            node.log("update", update.version)
            queue.keep(node, [update.answer(0)])
            sender.run(link, deadline)

    def ended(self, delivered):
        """The connection is over."""
        if not delivered and self._node.on_trial:
            self._gave_up(self._remote().failed())
        orders = self._orders
        if not orders:
            return
        vitals = self._node.kept.vitals
        vitals.downlinks_refused += orders.malformed
        vitals.orders_stale += orders.stale
        if orders.config_refused:
            self._alarm(reading.CONFIG_REFUSED, orders.config_refused)
        if orders.config_taken or orders.config_refused:
            self.changed = True

    def _gave_up(self, version):
        if version:
            self._node.on_trial = False
            self._node.log("config", -version)
            self._alarm(reading.CONFIG_RETURNED, version)

    def _alarm(self, code, value):
        queue.keep(self._node, [(reading.ALARM, reading.alarm_payload(code, value), True)])
