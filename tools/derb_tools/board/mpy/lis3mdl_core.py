"""What an LIS3MDL measures and when its threshold interrupt fires, from its registers alone.

Shared by the chip on the simulated board (MicroPython) and by the supervisor, which looks for the interrupt
while the board sleeps (CPython). Source: STMicroelectronics LIS3MDL data sheet, DocID024204 rev. 6, chapters
7 and 8.
"""

OFFSET_X_L = 0x05
WHO_AM_I = 0x0F
CTRL_REG1 = 0x20
CTRL_REG2 = 0x21
CTRL_REG3 = 0x22
CTRL_REG4 = 0x23
CTRL_REG5 = 0x24
STATUS_REG = 0x27
OUT_X_L = 0x28
TEMP_OUT_L = 0x2E
INT_CFG = 0x30
INT_SRC = 0x31
INT_THS_L = 0x32

REGISTERS = 64
DEFAULTS = {WHO_AM_I: 0x3D, CTRL_REG1: 0x10, CTRL_REG3: 0x03, INT_CFG: 0xE8}

_LSB_PER_GAUSS = (6842, 3421, 2281, 1711)
_NT_PER_GAUSS = 100_000
_FULL = 32767
_ODR_PERIODS_US = (1_600_000, 800_000, 400_000, 200_000, 100_000, 50_000, 25_000, 12_500)
_FAST_PERIODS_US = (1000, 1786, 3333, 6452)  # by operating mode: 1000, 560, 300, 155 Hz
_NOISE_SLOT_MS = 100
_SELF_TEST_NT = (200_000, 200_000, 50_000)  # in the middle of the limits of AN4602, table 17

CONTINUOUS = 0
SINGLE = 1


def mode(registers: bytearray) -> int:
    """CTRL_REG3 MD: 0 continuous, 1 single conversion, 2 and 3 power-down."""
    return registers[CTRL_REG3] & 3


def period_us(registers: bytearray) -> int:
    """Time between conversions in continuous mode; in single mode the length of one."""
    operating_mode = registers[CTRL_REG1] >> 5 & 3
    if mode(registers) == SINGLE or registers[CTRL_REG1] & 0x02:
        return _FAST_PERIODS_US[operating_mode]
    return _ODR_PERIODS_US[registers[CTRL_REG1] >> 2 & 7]


def _signed(low: int, high: int) -> int:
    value = low | high << 8
    return value - 0x10000 if value & 0x8000 else value


def _clip(value: int) -> int:
    return max(-_FULL, min(_FULL, value))


def _noise_nt(seed: int, slot: int, axis: int, rms_nt: int) -> int:
    """A repeatable, nearly normal deviate: eight uniform nibbles summed (variance 8 * 21.25)."""
    h = (seed * 0x9E3779B1 + slot * 0x85EBCA6B + axis * 0xC2B2AE35) & 0xFFFFFFFF
    for _ in range(2):
        h = (h ^ h >> 15) * 0x2C1B3C6D & 0xFFFFFFFF
        h = (h ^ h >> 12) * 0x297A2D39 & 0xFFFFFFFF
    total = 0
    for shift in range(0, 32, 4):
        total += h >> shift & 15
    return (total - 60) * rms_nt * 100 // 1304


def noise_slot(street_ms: int) -> int:
    """Noise is drawn anew so often, which is as often as the default data rate measures."""
    return street_ms // _NOISE_SLOT_MS


def outputs(
    registers: bytearray, field_nt: tuple[int, int, int], seed: int, slot: int, rms_nt: int
) -> list[int]:
    """The three output registers for a field: self-test, noise, scale, saturation, hard-iron offset subtracted."""
    lsb = _LSB_PER_GAUSS[registers[CTRL_REG2] >> 5 & 3]
    own_nt = _SELF_TEST_NT if registers[CTRL_REG1] & 1 else (0, 0, 0)
    out = []
    for axis in range(3):
        nt = field_nt[axis] + own_nt[axis] + (_noise_nt(seed, slot, axis, rms_nt) if rms_nt else 0)
        raw = _clip((nt * lsb + _NT_PER_GAUSS // 2) // _NT_PER_GAUSS)
        place = OFFSET_X_L + 2 * axis
        out.append(_clip(raw - _signed(registers[place], registers[place + 1])))
    return out


def interrupts(registers: bytearray) -> bool:
    """Whether the threshold interrupt can fire at all."""
    return bool(registers[INT_CFG] & 1) and mode(registers) == CONTINUOUS and registers[INT_CFG] & 0xE0 != 0


def interrupt_source(registers: bytearray, out: list[int]) -> int:
    """INT_SRC for these outputs: which axis passed the threshold on which side, and the interrupt bit."""
    threshold = (registers[INT_THS_L] | registers[INT_THS_L + 1] << 8) & 0x7FFF
    source = 0
    for axis in range(3):
        if registers[INT_CFG] & 0x80 >> axis:
            if out[axis] > threshold:
                source |= 0x80 >> axis
            elif out[axis] < -threshold:
                source |= 0x10 >> axis
        if abs(out[axis]) == _FULL:
            source |= 0x02
    return source | 1 if source & 0xFC else source


def pin_level(registers: bytearray, interrupt: bool) -> int:
    """Level of the INT pin: IEA says which level means an interrupt."""
    active_high = registers[INT_CFG] >> 2 & 1
    return active_high if interrupt else 1 - active_high
