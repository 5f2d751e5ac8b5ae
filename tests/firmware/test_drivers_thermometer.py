"""The air's temperature: the DS18B20's where it makes sense, else the board's own, and the difference is counted."""

import json

from derb.drivers.thermometer import Thermometer, chip_c100, ds18b20_c100
from fakes_bus import Clock

CHIP_F = 77  # 25 degrees Celsius


class Esp32:
    def raw_temperature(self):
        return CHIP_F


class Esp32S3:
    def mcu_temperature(self):
        return 25


class Wire:
    """`onewire.OneWire` with one DS18B20 on it, which wants 750 ms for a conversion."""

    def __init__(self, clock, scratchpad, present=True):
        self.clock = clock
        self.present = present
        self.scratchpad = bytearray(scratchpad)
        self.flip = None
        self._step = "idle"
        self._ready_us = None

    def reset(self, required=False):
        self._step = "rom"
        return self.present

    def writebyte(self, value):
        if self._step == "rom":
            assert value == 0xCC
            self._step = "command"
        elif value == 0x44:
            self._ready_us = self.clock.us + 750000
            self._step = "idle"
        else:
            assert self._step == "command" and value == 0xBE
            self._step = "read"

    def readinto(self, buf):
        assert self._step == "read"
        assert self._ready_us is not None and self.clock.us >= self._ready_us, (
            "read before the conversion ended"
        )
        sent = bytearray(self.scratchpad + bytes([self.crc8(self.scratchpad)]))
        if self.flip is not None:
            sent[self.flip // 8] ^= 1 << self.flip % 8
        buf[:] = sent

    def crc8(self, content):
        crc = 0
        for byte in content:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
        return crc


def rows():
    with open("tests/vectors/drivers.json") as file:
        return json.load(file)["thermometers"]


def wired(scratchpad, **options):
    clock = Clock()
    wire = Wire(clock, bytes.fromhex(scratchpad), **options)
    return clock, wire, Thermometer(Esp32(), wire, clock.sleep_ms)


def test_the_golden_vectors_of_the_data_sheet():
    for row in rows():
        assert ds18b20_c100(bytes.fromhex(row["scratchpad"])) == row["temp_c100"], row["name"]


def test_what_it_says_is_taken_where_it_makes_sense():
    for row in rows():
        _, _, thermometer = wired(row["scratchpad"])
        good = row["temp_c100"] is not None
        assert thermometer() == (row["temp_c100"] if good else 2500), row["name"]
        assert thermometer.faults == (0 if good else 1), row["name"]


def test_every_flipped_bit_is_noticed():
    scratchpad = rows()[1]["scratchpad"]
    for flip in range(72):
        _, wire, thermometer = wired(scratchpad)
        wire.flip = flip
        assert thermometer() == 2500 and thermometer.faults == 1, flip


def test_without_a_sensor_on_the_wire_the_board_knows():
    _, _, thermometer = wired(rows()[0]["scratchpad"], present=False)
    assert thermometer() == 2500
    assert thermometer.faults == 1


def test_without_a_wire_nothing_is_a_fault():
    thermometer = Thermometer(Esp32(), sleep_ms=Clock().sleep_ms)
    assert thermometer() == 2500
    assert thermometer.faults == 0


def test_every_kind_of_esp32_has_a_temperature():
    assert chip_c100(Esp32()) == 2500
    assert chip_c100(Esp32S3()) == 2500
