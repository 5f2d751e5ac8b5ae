"""One file a chip; bus, pins and the way to wait are handed in.

Every magnetometer has `start() -> bool` (whether it had to be set up), `read(deadline) -> (x_nt, y_nt, z_nt, temp_c100)`,
`stop()` and `can_watch`; where `can_watch` is true also `watch(x_nt, y_nt, z_nt, threshold_nt, deadline) -> bool` (whether
it will) and `moved() -> bool`.
Chips that can test themselves have `self_test(deadline)`. `temp_c100` is None where nothing measures it.
"""

from micropython import const

FAULT_ABSENT = const(1)
FAULT_IDENTITY = const(2)
FAULT_TIMEOUT = const(3)
FAULT_OVERFLOW = const(4)
FAULT_SELF_TEST = const(5)
FAULT_NONSENSE = const(6)  # it answers, but with what no working chip of its kind would
FAULT_MOUNTING = const(7)


class SensorError(Exception):
    """The sensor is absent, is another chip than it should be, or does not answer; `code` goes into the health reading."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
