"""The temperature of the air: a DS18B20 if one answers (data sheet 19-7487 Rev 6), else the ESP32's own thermometer."""

import time

from micropython import const

_SKIP_ROM = const(0xCC)
_CONVERT = const(0x44)
_READ_SCRATCHPAD = const(0xBE)
_CONVERSION_MS = const(750)  # table 2, at 12 bits
_POWER_ON = const(0x0550)  # table 1: 85 degrees, what it holds before its first conversion
_CONFIG_FIXED = const(0x9F)  # the bits of the configuration register that never change
_CONFIG_VALUE = const(0x1F)


class Thermometer:
    """Call it for hundredths of a degree. `chip` is the module `esp32`, `wire` a onewire.OneWire or None.

    `faults` counts the readings of the DS18B20 that were no good: absent, garbled, not converted.
    """

    def __init__(self, chip, wire=None, sleep_ms=None):
        self._chip = chip
        self._wire = wire
        self._sleep_ms = sleep_ms or time.sleep_ms
        self.faults = 0
        self.air_c100 = None

    def __call__(self):
        """Return the temperature in 1/100 degree Celsius; a DS18B20 takes 750 ms.

        `air_c100` is then the DS18B20's, None if it gave none: the chip's own is near the air's, but not for an alarm.
        """
        temp_c100 = self.air_c100 = self._ds18b20() if self._wire else None
        return chip_c100(self._chip) if temp_c100 is None else temp_c100

    def _ds18b20(self):
        scratchpad = bytearray(9)
        if self._command(_CONVERT):
            self._sleep_ms(_CONVERSION_MS)
            if self._command(_READ_SCRATCHPAD):
                self._wire.readinto(scratchpad)
        temp_c100 = None if self._wire.crc8(scratchpad) else ds18b20_c100(scratchpad)
        if temp_c100 is None:
            self.faults += 1
        return temp_c100

    def _command(self, command):
        # One sensor on the wire, so it need not be named.
        if not self._wire.reset():
            return False
        self._wire.writebyte(_SKIP_ROM)
        self._wire.writebyte(command)
        return True


def ds18b20_c100(scratchpad):
    """Return the temperature in a scratchpad, None if it holds none. A wire held low reads zeros, whose CRC is right."""
    if scratchpad[4] & _CONFIG_FIXED != _CONFIG_VALUE:
        return None
    raw = scratchpad[0] | scratchpad[1] << 8
    if raw == _POWER_ON:
        return None
    if raw & 0x8000:
        raw -= 0x10000
    # Table 1: 1/16 degree.
    return raw * 25 // 4 if -880 <= raw <= 2000 else None


def chip_c100(chip):
    """Return the ESP32's own temperature: after a sleep it is within a few degrees of the air's."""
    if hasattr(chip, "raw_temperature"):
        return (chip.raw_temperature() - 32) * 500 // 9  # Fahrenheit, on the first ESP32 only
    return chip.mcu_temperature() * 100
