"""The stage of a wake that puts on flash what must not be lost with the power: docs/protocol.md says what may be."""

from micropython import const

from derb import crumbs as step
from derb import queue

_HOLD_IN_OUTAGE = const(6)


def run(node):
    """Settle the outbox."""
    node.crumbs.enter(step.SETTLE)
    outbox = node.outbox
    outbox.settle(_hold(node))
    if outbox.shed > node.kept.shed_told:
        queue.keep(node, [])  # says how many; it goes to flash with the rest and is sent by the next wake
        outbox.settle()
    queue.tell(node)


def _hold(node):
    # An event is written in the wake that could not deliver it. A first failure may be the beginning of anything.
    failures, hold = node.kept.failures, node.config.hold
    if node.weak or node.reboot or failures == 1 or node.outbox.holds_event:
        return 0
    return min(hold, _HOLD_IN_OUTAGE) if failures else hold
