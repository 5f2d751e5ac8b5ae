"""Commands from afar: does each, and says what became of it. Judging them is the work of derb.orders."""

import time

from micropython import const

from derb import answers, chunks, once, orders, queue
from derb.deadline import Deadline

_MOST = const(8)  # commands in one wake
_LONGEST_BLINK_S = const(60)
_LONGEST_AWAKE_MIN = const(30)
_BLINK_MS = const(250)
_MARGIN_MS = const(5000)  # for the answer afterwards
_ASK_EVERY_MS = const(5000)


class Chores:
    """Does commands over one connection. `board` is derb.node.Node.

    After `run`, `reboot`, `recalibrate` and `diagnostics` say what is left to do when the connection is closed.
    """

    def __init__(self, board, pending):
        self._board = board
        self._orders = pending
        self._deadline = self._link = None
        self.reboot = self.recalibrate = self.diagnostics = False
        self._awake_until = None

    def run(self, link, sender, deadline):
        """Do what was ordered, send the answers, and do what comes with their receipts; raise LinkError."""
        self._deadline, self._link = deadline, link
        for _ in range(_MOST):
            said = [answers.answer(id, answers.EXPIRED, 0) for id in self._orders.expired()]
            command = self._orders.next()
            if command:
                said.append(answers.answer(command.id, *self._do(command)))
            if said:
                queue.keep(self._board, said)
                sender.run(link, deadline)
            elif not self._stay(link, sender):
                return

    def _do(self, command):
        """Return (result, value)."""
        code, argument = command.code, command.argument
        if code == orders.IDENTIFY:
            return self._blink(min(argument, _LONGEST_BLINK_S))
        if code == orders.SELF_TEST:
            return answers.DONE, self._self_test()
        if code == orders.STAY_AWAKE:
            ms = min(argument, _LONGEST_AWAKE_MIN) * 60000
            self._awake_until = Deadline(ms)
            self._extend(ms + _MARGIN_MS)
        elif code == orders.RECALIBRATE:
            self.recalibrate = True
            once.call("sense", "forget", self._board)
        elif code == orders.DIAGNOSTICS:
            self.diagnostics = True
        elif code == orders.REBOOT:
            self.reboot = True
        elif code == orders.UPDATE:
            return self._begin_update(command)
        else:
            return answers.REFUSED, 0
        return answers.DONE, 0

    def _self_test(self):
        """Measure once, and keep the readings; return the sensor fault."""
        queue.keep(self._board, once.call("checkup", "run", self._board))
        return self._board.fault

    def _begin_update(self, command):
        from derb.update import BATTERY_LOW, Update

        board = self._board
        if board.weak:
            return answers.FAILED, BATTERY_LOW
        update = Update(board.nvs, board.config.board)
        reason = update.begin(command.argument, command.id, command.deadline)
        if reason:
            return answers.FAILED, reason
        board.update_wanted = True
        return answers.STARTED, 0

    def _blink(self, seconds):
        from derb.drivers.lamp import lamp_of

        lamp = lamp_of(self._board.config)
        if lamp is None:
            return answers.REFUSED, 0
        until = Deadline(seconds * 1000)
        self._extend(seconds * 1000 + _MARGIN_MS)
        while not until.over():
            lamp.value(not lamp.value())
            time.sleep_ms(_BLINK_MS)
            self._board.feed()
        lamp.value(0)
        return answers.DONE, 0

    def _stay(self, link, sender):
        """Ask for downlinks until an order came; return False when the time to stay awake is over."""
        while self._awake_until and not self._awake_until.over():
            self._board.feed()
            link.send(chunks.ask(self._board.key, self._board.id, 0, 0, 0, 0))
            until = self._awake_until.within(_ASK_EVERY_MS)
            while not until.over():
                payload = link.receive(until)
                if payload is not None:
                    sender.take(payload)
            if self._orders.waiting():
                return True
        return False

    def _extend(self, ms):
        self._deadline.extend(ms)
        self._link.extend(ms)
