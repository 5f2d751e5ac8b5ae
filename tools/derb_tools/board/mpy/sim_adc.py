"""`machine.ADC` of the ESP32 port: calibrated microvolts, clipped at what the attenuation can see."""

import sim_network
import sim_pin
import simctl
import simpins

# ESP-IDF programming guide, ADC calibration: what each attenuation measures, in mV; above, it reads full
# scale.
_FULL_SCALE_MV = {0: 950, 1: 1250, 2: 1750, 3: 2450}
_COUNTS = 4095

_sources = {}


def wire(gpio, mv):
    """Put a voltage on a pin."""
    _sources[gpio] = mv


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_12BIT = 12

    def __init__(self, pin, *, atten=ATTN_0DB):
        self._gpio = sim_pin.gpio_of(pin)
        if self._gpio not in simpins.ADC1_GPIOS + simpins.ADC2_GPIOS:
            raise ValueError("invalid pin")
        self.atten(atten)

    def init(self, *, atten=ATTN_0DB):
        self.atten(atten)

    def atten(self, atten):
        if atten not in _FULL_SCALE_MV:
            raise ValueError("invalid atten")
        self._full_mv = _FULL_SCALE_MV[atten]

    def width(self, bits):
        if bits != self.WIDTH_12BIT:
            simctl.violation("ADC widths other than 12 bits are not simulated")

    def read_uv(self):
        return self._mv() * 1000

    def read(self):
        return self._mv() * _COUNTS // self._full_mv

    def read_u16(self):
        raw = self.read()
        return raw << 4 | raw >> 8

    def _mv(self):
        if self._gpio in simpins.ADC2_GPIOS and sim_network.radio_is_on():
            raise OSError(-263, "ESP_ERR_TIMEOUT")  # the radio owns the second converter
        mv = _sources.get(self._gpio)
        if mv is None:
            simctl.violation("nothing is wired to ADC pin %d" % self._gpio)
        return min(mv, self._full_mv)
