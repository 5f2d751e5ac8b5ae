"""Makes the sensors that a configuration names: buses, pins and all. Nothing is asked of a sensor yet."""

import time

import esp32
import machine

from derb.drivers.thermometer import Thermometer

_UART = 1  # UART 0 is the technician's
_POWER_UP_MS = 150  # an HC-SR04 answers after 50 ms, a JSN-SR04T after 100


def magnetometer(config):
    """Return whichever known magnetometer is on the bus; SensorError if there is none."""
    from derb.drivers.probe import find_magnetometer

    scl, sda = machine.Pin(config.i2c_scl), machine.Pin(config.i2c_sda)
    return find_magnetometer(machine.I2C(0, scl=scl, sda=sda, freq=400000), thermometer=thermometer(config))


def ranger(config):
    """Return the ranger that `config.ranger` names, with its supply on."""
    if config.ranger_power_pin >= 0:
        machine.Pin(config.ranger_power_pin, machine.Pin.OUT, value=1)
        time.sleep_ms(_POWER_UP_MS)
    if config.ranger == "hcsr04":
        from derb.drivers.hcsr04 import HCSR04

        trigger = machine.Pin(config.trig_pin, machine.Pin.OUT, value=0)
        return HCSR04(trigger, machine.Pin(config.echo_pin, machine.Pin.IN))
    uart = machine.UART(_UART, baudrate=9600, tx=config.trig_pin, rx=config.echo_pin, timeout=0)
    if config.ranger == "a02yyuw":
        from derb.drivers.a02yyuw import A02YYUW

        return A02YYUW(uart, thermometer(config))
    from derb.drivers.maxbotix import MaxBotix

    return MaxBotix(uart, thermometer(config))


def accelerometer(config):
    """Return the accelerometer, None if the configuration has none."""
    if not config.tilt:
        return None
    from derb.drivers.lis3dh import LIS3DH

    scl, sda = machine.Pin(config.i2c_scl), machine.Pin(config.i2c_sda)
    return LIS3DH(machine.I2C(0, scl=scl, sda=sda, freq=400000))


def release(config):
    """Take the ranger's supply away again."""
    if config.ranger_power_pin >= 0:
        machine.Pin(config.ranger_power_pin, machine.Pin.OUT, value=0)


def thermometer(config):
    """Return what tells the temperature of the air."""
    if config.ds18b20_pin < 0:
        return Thermometer(esp32)
    from onewire import OneWire

    return Thermometer(esp32, OneWire(machine.Pin(config.ds18b20_pin)))
