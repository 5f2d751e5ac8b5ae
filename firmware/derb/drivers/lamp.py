"""The lamp by which a person finds the node."""

import machine


def lamp_of(config):
    """Return the pin of the lamp, dark, or None if there is none."""
    pin = config.led_pin
    return None if pin < 0 else machine.Pin(pin, machine.Pin.OUT, value=0)
