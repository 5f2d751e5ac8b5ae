"""A self-test ordered from afar: the chip tests itself, if it can, and the node measures once."""

from derb import sense
from derb.deadline import Deadline


def run(node):
    """Return what was said; `node.fault` tells whether all is well."""
    fault = _chip_fault(node.config)
    node.feed()
    sensing = sense.make(node)
    said = sensing.sense(node.clock.now, Deadline(node.config.episode_s * 1000), True)
    sense.keep(node, sensing)
    node.fault = node.fault or fault
    node.feed()
    return said


def _chip_fault(config):
    from derb.drivers import SensorError, attach, own_test

    try:
        own_test.run((attach.magnetometer if config.kind == "parking" else attach.accelerometer)(config))
    except SensorError as e:
        return e.code
    return 0
