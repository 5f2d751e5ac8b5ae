"""Lets a chip test itself."""

from micropython import const

from derb.deadline import Deadline

_LONGEST_MS = const(5000)


def run(chip):
    """Return whether it can; SensorError if it fails; `start` must follow."""
    if not hasattr(chip, "self_test"):
        return False
    chip.start()
    chip.self_test(Deadline(_LONGEST_MS))
    return True
