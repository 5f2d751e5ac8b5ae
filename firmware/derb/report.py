"""The stage of a wake that says how the node is: once a day, and when something changed that a person waits for."""

from derb import VERSION, health, queue, reading
from derb.vitals import news

_KB_LEFT = 29  # changes at every wake of an update


def run(node):
    """Add it to what was sensed, and keep all that was said."""
    updates = _updates(node)
    told = [(11, VERSION), (14, node.fault), (30, node.crumbs.level)]
    if node.version is not None:
        told += [(12, node.version), (25, node.top if node.top > node.version else 0)]
    node.said.extend(_health(node, told, updates))
    node.first_sequence = node.outbox.next_sequence
    queue.keep(node, node.said)


def _updates(node):
    """Say how an update ended that did so before this wake; return the health fields of updates."""
    if node.version is None or not _was_ordered(node.nvs):
        return []
    import slots

    from derb.update import Update

    update = Update(node.nvs, node.config.board)
    reason = update.news()
    if reason is not None:
        node.said.append(update.answer(reason))
    if reason:
        alarm = reading.alarm_payload(reading.UPDATE_RETURNED, update.version)
        node.said.append((reading.ALARM, alarm, True))
    # A radio for minutes and a flash half written are nothing for a weak battery: it goes on where it stopped.
    node.update_wanted = update.wanted and not node.weak
    node.update_on_trial = update.on_trial
    left_kb = node.kept.vitals.update_kb_left if update.wanted else 0
    return [(26, slots.load(node.nvs)[0]), (27, update.version), (28, update.state), (_KB_LEFT, left_kb)]


def _was_ordered(nvs):
    try:
        nvs.get_blob("upd", bytearray(32))
    except OSError:
        return False  # its code need not be loaded
    return True


def _health(node, told, updates):
    kept = node.kept
    checksum = news(told + [pair for pair in updates if pair[0] != _KB_LEFT])
    proving = node.on_trial or node.update_on_trial
    if node.clock.now() < kept.next_health and checksum == kept.vitals.told and not proving:
        return []
    urgent = proving or kept.vitals.told not in (0, checksum)
    kept.vitals.told = checksum
    kept.next_health = node.clock.now() + node.config.health_every_s
    pairs = (
        health.fields(node, node.machine.reset_cause())
        + updates
        + health.of_vitals(kept.vitals)
        + health.of_crumbs(node.crumbs)
    )
    # The level of safe mode is among what is told of wakes that went wrong, if any did.
    pairs += [pair for pair in told if pair[0] != 30]
    return [(reading.HEALTH, health.payload(pairs), urgent)]
