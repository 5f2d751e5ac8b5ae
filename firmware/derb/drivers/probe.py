"""Which magnetometer is on the bus? Boards sold under one name carry any of three chips, so ask the chip."""

from derb.drivers import FAULT_ABSENT, FAULT_IDENTITY, SensorError

# Address, register and content of the identity, module, class. Two chips share 0x1E. The one that can wake the board
# comes first; the RM3100 comes last, as a port expander at its address would take the question for an output.
_KNOWN = (
    (0x1C, 0x0F, b"\x3d", "lis3mdl", "LIS3MDL"),
    (0x1E, 0x0F, b"\x3d", "lis3mdl", "LIS3MDL"),
    (0x30, 0x2F, b"\x30", "mmc5983ma", "MMC5983MA"),
    (0x2C, 0x00, b"\x80", "qmc5883p", "QMC5883P"),
    (0x0D, 0x0D, b"\xff", "qmc5883l", "QMC5883L"),
    (0x1E, 0x0A, b"H43", "hmc5883l", "HMC5883L"),
    (0x20, 0x36, b"\x22", "rm3100", "RM3100"),
    (0x21, 0x36, b"\x22", "rm3100", "RM3100"),
    (0x22, 0x36, b"\x22", "rm3100", "RM3100"),
    (0x23, 0x36, b"\x22", "rm3100", "RM3100"),
)
_NO_THERMOMETER = ("LIS3MDL", "MMC5983MA", "QMC5883L")  # they have their own


def find_magnetometer(i2c, sleep_ms=None, thermometer=None):
    """Return the driver of the first magnetometer found, not yet started; SensorError naming what was seen where."""
    strangers = []
    for address, register, identity, module, name in _KNOWN:
        found = _ask(i2c, address, register, len(identity))
        if found == identity:
            return _driver(module, name)(i2c, address, sleep_ms, **_options(name, thermometer))
        if found is not None:
            strangers.append("0x%02x is no %s (says %s)" % (address, name, found.hex()))
    if strangers:
        raise SensorError(FAULT_IDENTITY, "no known magnetometer: " + ", ".join(strangers))
    raise SensorError(FAULT_ABSENT, _nobody(i2c))


def _ask(i2c, address, register, count):
    found = bytearray(count)
    try:
        i2c.readfrom_mem_into(address, register, found)
    except OSError:
        return None  # nobody there
    return bytes(found)


def _nobody(i2c):
    others = ["0x%02x" % address for address in i2c.scan()]
    if others:
        return "no magnetometer; on the bus are only " + ", ".join(others)
    return "nothing answers on the bus: check wires, pull-ups and power"


def _driver(module, name):
    # Imported when found: the other five would cost their bytes of heap for nothing.
    return getattr(__import__("derb.drivers." + module, None, None, (name,)), name)


def _options(name, thermometer):
    return {} if name in _NO_THERMOMETER else {"thermometer": thermometer}
