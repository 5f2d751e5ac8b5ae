"""The outbox in a wake: opened when what was sensed is known, and there until sleep. RTC memory is saved with it."""

from derb import crumbs as step
from derb import reading
from derb.outbox import Outbox


def run(node):
    """Open the outbox as the last wake left it."""
    node.crumbs.enter(step.KEEP)
    recall(node)


def recall(node):
    """Make the outbox; return whether what was remembered of it is sound."""
    node.outbox = Outbox(lambda: segments(node), node.clock, lambda: _take_boot(node))
    return node.outbox.restore(node.kept.outbox)


def put_back(node):
    """Close it: it is remembered as it is."""
    tell(node)
    _count_writes(node)
    node.kept.outbox = node.outbox.dumps()
    node.outbox = node.segments = None


def segments(node):
    """Return the readings on flash, opened at the first call."""
    if node.segments is None:
        from derb.segments import Segments

        node.segments = Segments("/outbox", node.storage.ready)
    return node.segments


def _take_boot(node):
    from derb.boots import take_boot

    return take_boot(node.nvs, lambda: segments(node))


def keep(node, said):
    """Put (kind, payload, urgent) into the outbox; when this returns they are in RTC memory."""
    outbox, kept = node.outbox, []
    for kind, payload, _ in said:
        kept.append((outbox.put(kind, payload), kind, payload))
    shed = outbox.shed - node.kept.shed_told
    if shed > 0:
        node.kept.shed_told = outbox.shed
        payload = reading.alarm_payload(reading.READINGS_SHED, shed)
        kept.append((outbox.put(reading.ALARM, payload), reading.ALARM, payload))
    if not kept:
        return
    # Readings count as kept, and their numbers as used, only once RTC memory says so; with them what was sensed.
    save(node)
    for (boot, sequence), kind, payload in kept:
        node.log("kept", boot, sequence, kind, payload.hex(), node.clock.now())


def save(node):
    """Save what the next wake must find in RTC memory."""
    kept = node.kept
    _count_writes(node)
    kept.unix_at_zero, kept.saved_s = node.clock.unix_at_zero, node.clock.now()
    kept.outbox = node.outbox.dumps()
    node.memory.save(kept.dumps())


def tell(node):
    """Say on the console what went to flash in this wake, and what flash refused."""
    for boot, sequence in node.outbox.settled:
        node.log("safe", boot, sequence)
    if node.outbox.flash_errors:
        node.log("flash", node.outbox.flash_errors)


def _count_writes(node):
    if node.segments:
        node.kept.flash_writes += node.segments.writes
        node.segments.writes = 0
