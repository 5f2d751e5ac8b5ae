"""`onewire` of the ESP32 port, byte by byte, and the DS18B20 thermometers on the wires (data sheet 19-7487 Rev 6)."""

import sim_pin
import simctl

_SLOT_US = 65
_RESET_US = 960
_CONVERSION_US = 750_000  # table 2, 12 bits
_POWER_ON = b"\x50\x05\x4b\x46\x7f\xff\x0c\x10"  # 85 degrees; alarms, 12 bits

_SKIP_ROM = 0xCC
_CONVERT = 0x44
_READ_SCRATCHPAD = 0xBE

_clock = None
_wired = {}


def setup(clock):
    global _clock
    _clock = clock


def wire(gpio, device):
    _wired[gpio] = device


def crc8(sent):
    crc = 0
    for byte in sent:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


class Ds18b20:
    """`course`: [[street_ms, temp_c100], ...] in order, the first one in force from the beginning."""

    def __init__(self, course):
        self._course = course
        self._scratchpad = _POWER_ON
        self._ready_us = None
        self._told = []
        self._listens = False

    def temp_c100(self, street_us):
        temp = self._course[0][1]
        for ms, changed in self._course:
            if ms * 1000 <= street_us:
                temp = changed
        return temp

    def reset(self):
        self._listens = False
        self._told = []

    def write(self, byte, street_us):
        if byte == _SKIP_ROM:
            self._listens = True
        elif self._listens and byte == _CONVERT:
            self._ready_us = street_us + _CONVERSION_US
        elif self._listens and byte == _READ_SCRATCHPAD:
            self._finish(street_us)
            self._told = list(self._scratchpad + bytes((crc8(self._scratchpad),)))
        else:
            simctl.violation("a DS18B20 was told %d, which is not simulated" % byte)

    def read(self, street_us):
        if self._told:
            return self._told.pop(0)
        return 0xFF

    def _finish(self, street_us):
        if self._ready_us is not None and street_us >= self._ready_us:
            raw = self.temp_c100(self._ready_us) * 16 // 100 & 0xFFFF
            self._scratchpad = raw.to_bytes(2, "little") + _POWER_ON[2:]


class OneWire:
    def __init__(self, pin):
        self._device = _wired.get(sim_pin.gpio_of(pin))

    def reset(self, required=False):
        _clock.charge(_RESET_US)
        if self._device:
            self._device.reset()
        return self._device is not None

    def readbyte(self):
        _clock.charge(8 * _SLOT_US)
        return self._device.read(_clock.street_now_us()) if self._device else 0xFF

    def readinto(self, buf):
        for i in range(len(buf)):
            buf[i] = self.readbyte()

    def writebyte(self, value):
        _clock.charge(8 * _SLOT_US)
        if self._device:
            self._device.write(value, _clock.street_now_us())

    def write(self, buf):
        for byte in buf:
            self.writebyte(byte)

    def crc8(self, sent):
        return crc8(sent)
