"""What comes and goes beside readings: configuration, commands, updates. One face for derb.node to all of it."""

from micropython import const

from derb import frame, orders, reading
from derb.links import LinkError
from derb.remote import Remote

_FETCH_MS = const(60000)  # of one wake for an update
_FETCH_PAUSE_S = const(20)


class Upkeep:
    """`config` is what is in force. `nvs` is as esp32.NVS; `provisioned` the settings from USB."""

    def __init__(self, nvs, provisioned):
        self._nvs = nvs
        self._remote = Remote(nvs, provisioned)
        self.config = self._remote.config
        self.reboot = self.measure_soon = self.report_soon = self.forget_place = False
        self._update = self._load_update()
        self._board = self.orders = self._vitals = None

    def attach(self, board, clock, vitals):
        """Give it the node that commands act on, its clock and its vitals."""
        self._board, self._clock, self._vitals = board, clock, vitals
        self.orders = orders.Orders(self._nvs, self._remote, clock)
        vitals.damaged = self._remote.damaged

    def _load_update(self):
        try:
            self._nvs.get_blob("upd", bytearray(32))
        except OSError:
            return None  # never ordered: its code need not be loaded
        return self._make_update()

    def _make_update(self):
        from derb.update import Update

        return Update(self._nvs, self.config.board)

    def fields(self):
        """Return the health fields of it all."""
        pairs = [(12, self._remote.version), (25, self._remote.refused())]
        if self._update:
            import slots

            update = self._update
            pairs.append((26, slots.load(self._nvs)[0]))
            pairs.extend([(27, update.version), (28, update.state), (29, (update.left + 1023) // 1024)])
        return pairs

    def begin(self):
        """Return what is to be said at the start of a wake: an update that ended before it."""
        reason = self._update.news() if self._update else None
        if reason is None:
            return []
        said = [self._answer(reason)]
        if reason:
            alarm = reading.alarm_payload(reading.UPDATE_RETURNED, self._update.version)
            said.append((reading.ALARM, alarm, True))
        return said

    @property
    def proving(self):
        """Whether something is on trial, so that a receipt is wanted soon."""
        return self._remote.on_trial or bool(self._update) and self._update.on_trial

    @property
    def due(self):
        """Whether a connection is wanted even if there is nothing to send."""
        return bool(self._update) and self._update.wanted

    @property
    def pause_s(self):
        """After how many seconds the node should go on, None: it need not."""
        return _FETCH_PAUSE_S if self.due else None

    def connecting(self):
        """A connection begins."""
        self._gave_up(self._remote.attempt())

    def connected(self, link, sender, deadline):
        """All receipts came: what is on trial has proven itself, and what the gateway wants is here."""
        if sender.proven:
            if self._remote.confirm():
                self._board.log("config", self._remote.version)
            if self._update and self._update.prove():
                self._board.log("update", self._update.version)
                self._board.keep([self._answer(0)])
                sender.run(link, deadline)
        if self.orders.waiting():
            self._do_chores(link, sender, deadline)
        if self.due:
            self._fetch(link, sender, deadline)

    def _do_chores(self, link, sender, deadline):
        from derb.chores import Chores

        chores = Chores(self._board, self.orders, self.begin_update)
        chores.run(link, sender, deadline)
        self.reboot = chores.reboot
        self.forget_place = chores.recalibrate
        self.report_soon = chores.diagnostics
        self.measure_soon = chores.recalibrate or chores.diagnostics

    def begin_update(self, command):
        """Take the order to update; return (result, value) of the answer."""
        update = self._update or self._make_update()
        reason = update.begin(command.argument, command.id, command.deadline)
        if reason:
            return orders.FAILED, reason
        self._update = update
        return orders.STARTED, 0

    def _fetch(self, link, sender, deadline):
        from derb.fetch import Fetcher

        self._board.storage.ready(True)
        deadline.extend(_FETCH_MS)
        link.extend(_FETCH_MS)
        fetcher = Fetcher(self._board, link, sender, self._update.version, deadline)
        try:
            reason = self._update.fetch(fetcher.pieces, self._clock.to_unix(self._clock.now()))
        except (LinkError, frame.FrameError) as e:
            self._board.log("update", -self._update.left, e)  # goes on at the next wake, where it stopped
            return
        finally:
            self._vitals.downlinks_refused += fetcher.refused
        self._board.log("update", "refused" if reason else "tried", reason)
        if reason:
            self._board.keep([self._answer(reason)])
            sender.run(link, deadline)
        else:
            self.reboot = True

    def ended(self, delivered, sender):
        """The connection is over."""
        vitals, pending = self._vitals, self.orders
        vitals.connections_failed += not delivered
        vitals.downlinks_refused += sender.refused + pending.malformed
        vitals.orders_stale += pending.stale
        if not delivered:
            self._gave_up(self._remote.failed())
        if pending.config_refused:
            alarm = reading.alarm_payload(reading.CONFIG_REFUSED, pending.config_refused)
            self._board.keep([(reading.ALARM, alarm, True)])
        if pending.config_taken or pending.config_refused:
            self.measure_soon = True  # the next wake begins at once, with what it changed

    def _gave_up(self, version):
        if version:
            self._board.log("config", -version)
            alarm = reading.alarm_payload(reading.CONFIG_RETURNED, version)
            self._board.keep([(reading.ALARM, alarm, True)])

    def _answer(self, reason):
        result = orders.FAILED if reason else orders.DONE
        return reading.ANSWER, reading.answer_payload(self._update.command, result, reason), True
