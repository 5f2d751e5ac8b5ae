"""When an LIS3DH's interrupt 1 fires, from its registers and how it lies: for the board and its supervisor.

Source: STMicroelectronics LIS3DH data sheet, DocID17530 rev. 2, chapters 7 and 8. Simulated at 10 Hz and +-2 g: "low"
events of any axis, latched or not, on pin INT1.
"""

WHO_AM_I = 0x0F
CTRL_REG1 = 0x20
CTRL_REG2 = 0x21
CTRL_REG3 = 0x22
CTRL_REG4 = 0x23
CTRL_REG5 = 0x24
STATUS_REG = 0x27
OUT_X_L = 0x28
INT1_CFG = 0x30
INT1_SRC = 0x31
INT1_THS = 0x32
INT1_DURATION = 0x33

REGISTERS = 64
DEFAULTS = {WHO_AM_I: 0x33, CTRL_REG1: 0x07}
STATE = "<64sqqq"  # registers; since when it measures; since when interrupt 1 is set so; when the next sample unread comes
STATE_BYTES = 88

PERIOD_US = 100_000
SELF_TEST_MG = 400  # section 3.2.2 and table 4: 17 to 360 counts of 4 mg
_SELF_TEST = 0x06
_SELF_TEST_0 = 0x02
_MG_A_STEP = 16
_LOW = 0x15
_ACTIVE = 0x40


def measures(registers: bytearray) -> bool:
    """Whether it is on, at the one rate that is simulated."""
    return registers[CTRL_REG1] >> 4 == 2


def pushed_mg(registers: bytearray) -> int:
    """What the self-test adds to each axis."""
    return SELF_TEST_MG if registers[CTRL_REG4] & _SELF_TEST == _SELF_TEST_0 else 0


def pull_mg(course: "list[list[int]]", us: int) -> "list[int]":
    """What it feels: `course` is [[street_ms, x, y, z], ...] in order, the first one in force from the beginning."""
    felt = course[0]
    for change in course:
        if change[0] * 1000 <= us:
            felt = change
    return felt[1:]


def fires_us(
    registers: bytearray, course: "list[list[int]]", since_us: int, from_us: int, to_us: int
) -> "int | None":
    """The first sample in that span at which interrupt 1 is active, however long it was low before `from_us`."""
    if not measures(registers) or not registers[INT1_CFG] & _LOW or not registers[CTRL_REG3] & 0x40:
        return None
    # It lies still between two changes: only where it begins to lie otherwise does anything begin.
    edges = [since_us] + [change[0] * 1000 for change in course if change[0] * 1000 > since_us] + [to_us + 1]
    low_us = None
    for begin_us, end_us in zip(edges, edges[1:]):
        if not _low(registers, pull_mg(course, begin_us)):
            low_us = None
            continue
        low_us = begin_us if low_us is None else low_us
        fire_us = max(low_us + (registers[INT1_DURATION] + 1) * PERIOD_US, begin_us, from_us)
        if fire_us < end_us and fire_us <= to_us:
            return fire_us
    return None


def latches(registers: bytearray) -> bool:
    """Whether the interrupt stays until INT1_SRC is read."""
    return bool(registers[CTRL_REG5] & 0x08)


def active(registers: bytearray) -> bool:
    """Whether INT1_SRC says so."""
    return bool(registers[INT1_SRC] & _ACTIVE)


def latch(registers: bytearray) -> None:
    """Set it."""
    registers[INT1_SRC] |= _ACTIVE


def _low(registers: bytearray, felt_mg: "list[int]") -> bool:
    threshold_mg = (registers[INT1_THS] & 0x7F) * _MG_A_STEP
    return any(registers[INT1_CFG] & 1 << 2 * axis and abs(felt_mg[axis]) < threshold_mg for axis in range(3))
