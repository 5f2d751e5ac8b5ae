"""The battery's voltage, by a divider at a pin."""

import machine


def millivolts(config, radio=False):
    """Return the battery's voltage, None if it is not measured; `radio`: while the radio is on."""
    if config.batt_pin < 0:
        return None
    try:
        microvolt = machine.ADC(machine.Pin(config.batt_pin), atten=machine.ADC.ATTN_11DB).read_uv()
    except OSError:
        if not radio:
            raise
        return None  # the radio has the converter of half the pins for itself
    return microvolt // 1000 * config.batt_ratio_x100 // 100
