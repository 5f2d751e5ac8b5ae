"""The stage of a wake that looks: at the battery before anything else draws from it, then at the street."""

import time

from derb import crumbs as step
from derb import once
from derb.drivers.battery import millivolts


def run(node):
    """Put into `node.said` what is news; what the sensor must remember goes where the rest is remembered."""
    node.crumbs.enter(step.BATTERY)
    node.battery_mv = millivolts(node.config)
    node.crumbs.enter(step.SENSE)
    sensing = make(node) if node.crumbs.level < step.SIGN_OF_LIFE else None
    node.log("wake", node.machine.reset_cause(), node.machine.wake_reason())
    if node.crumbs.level:
        node.log("level", node.crumbs.level, node.crumbs.failed_in, node.crumbs.cause)
    if sensing:
        node.said = _due(node, sensing)
        keep(node, sensing)
    node.kept.vitals.sense_ms = time.ticks_diff(time.ticks_ms(), node.began_ms)


def forget(node):
    """Begin anew at the next wake: what was sensed before is of another place."""
    node.kept.sensing = b"\0"  # not empty: that would be a loss of power, after which the flash is asked
    node.state = 0


def make(node):
    """Return what senses, as far as is remembered how it was before."""
    config, saved = node.config, node.kept.sensing or None
    if config.kind == "parking":
        # The chip is found first: what finds it must be gone when the detector comes.
        find = _found(config)
        from derb.bay import Bay
        from derb.keepsake import Keepsake

        return Bay(
            find,
            config,
            saved,
            lambda ms: _nap(node, ms),
            lambda kept: Keepsake(node.nvs, kept),
            node.kept.rssi_dbm or None,
        )
    from derb.container import Container
    from derb.drivers import attach

    return Container(
        attach.ranger(config), attach.thermometer(config), config, saved, attach.accelerometer(config)
    )


def _found(config):
    """Return a callable that returns the magnetometer, or raises what looking for it raised."""
    from derb.drivers import SensorError

    try:
        chip = once.call("drivers.attach", "magnetometer", config)
    except SensorError as e:
        error = e

        def refuse():
            raise error

        return refuse
    return lambda: chip


def _nap(node, ms):
    node.machine.lightsleep(ms)
    node.feed()


def _due(node, sensing):
    kept, now, wake_s = node.kept, node.clock.now(), node.config.wake_s
    if node.config.kind == "parking":
        kept.next_sense = now + wake_s
    elif now < kept.next_sense:
        return sensing.disturbed(node.clock.now)  # sends again, or a tilt woke it
    else:
        kept.next_sense = max(kept.next_sense, now - wake_s) + wake_s
    if node.first:
        # Nodes that got their power at the same moment do not go on in step.
        kept.next_sense -= sum(node.id) % 256 * wake_s // 512
    # A car takes its time: what it may take is bounded apart from what the radio may.
    return sensing.sense(node.clock.now, node.budget.within(node.config.episode_s * 1000), node.first)


def keep(node, sensing):
    """Keep what it must know at the next wake, and what others ask it."""
    node.kept.sensing = sensing.dumps()
    node.state, node.fault, node.watches = sensing.state, sensing.fault, sensing.watches
    if node.config.kind == "level":
        from derb.drivers import attach

        attach.release(node.config)
        node.look_in_s = sensing.look_in_s
