"""`machine` of the ESP32 port (classic ESP32), as far as nodes use it."""

from machine import mem8, mem16, mem32  # noqa: F401  (the unix port's, as placeholders)

import sim_adc
import sim_i2c
import sim_network
import sim_pin
import sim_rtc
import sim_uart
import simctl

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

PIN_WAKE = 2
EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4
TOUCHPAD_WAKE = 5
ULP_WAKE = 6

SLEEP = 2
DEEPSLEEP = 4

ADC = sim_adc.ADC
I2C = sim_i2c.I2C
SoftI2C = sim_i2c.SoftI2C
Pin = sim_pin.Pin
RTC = sim_rtc.RTC
UART = sim_uart.UART

_MIN_WDT_MS = 1000
_FREQUENCIES_HZ = (20_000_000, 40_000_000, 80_000_000, 160_000_000, 240_000_000)

_clock = None
_pins = None
_wake_sources = None
_boot = {}
_freq_hz = 160_000_000


def setup(clock, pins, wake_sources, boot):
    """`boot` has node_id (bytes), reset_cause and wake_reason."""
    global _clock, _pins, _wake_sources, _boot
    _clock, _pins, _wake_sources, _boot = clock, pins, wake_sources, boot


class WDT:
    """The task watchdog: it cannot be stopped, only be given another timeout; it bites with a reset."""

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout < _MIN_WDT_MS:
            raise ValueError("WDT timeout too short")
        _clock.arm_wdt(timeout * 1000)

    def feed(self):
        _clock.feed_wdt()


def unique_id():
    return _boot["node_id"]


def reset_cause():
    return _boot["reset_cause"]


def wake_reason():
    return _boot["wake_reason"]


def freq(hz=None):
    global _freq_hz
    if hz is None:
        return _freq_hz
    if hz not in _FREQUENCIES_HZ:
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _freq_hz = hz


def idle():
    _clock.charge(1)
    _clock.now_us()


def disable_irq():
    return 0


def enable_irq(state):
    pass


def reset():
    _clock.end("reset", cause=HARD_RESET)


def soft_reset():
    _clock.end("reset", cause=SOFT_RESET)


def deepsleep(time_ms=0):
    sources = _wake_sources
    _clock.end("deepsleep", sleep_ms=time_ms or None, ext0=sources.ext0, ext1=sources.ext1)


def lightsleep(time_ms=0):
    """Sleep with memory kept. The station loses its access point, as the radio is off."""
    global _boot
    sim_network.radio_off_in_light_sleep()
    _clock.now_us()
    us = time_ms * 1000 if time_ms else None
    wake_us, cause = _wake_sources.first(_clock.street_now_us(), us)
    if wake_us is None:
        _clock.stall()
    _clock.sleep(max(0, wake_us))
    _boot["wake_reason"] = cause


sleep = lightsleep


def time_pulse_us(pin, pulse_level, timeout_us=1_000_000):
    """Length of a pulse; -2: it did not begin in `timeout_us`, -1: it did not end in as much again."""
    line = _pins.line(sim_pin.gpio_of(pin))
    _pins.level(line)
    start_us = _clock.street_now_us()
    began_us = _pins.wakes_at(line.gpio, pulse_level, start_us, start_us + timeout_us)
    if began_us is None:
        _clock.sleep(timeout_us)
        return -2
    ended_us = _pins.wakes_at(line.gpio, 1 - pulse_level, began_us, began_us + timeout_us)
    if ended_us is None:
        _clock.sleep(began_us + timeout_us - _clock.street_now_us())
        return -1
    _clock.sleep(ended_us - _clock.street_now_us())
    return ended_us - began_us


def bitstream(*arguments):
    simctl.violation("machine.bitstream is not simulated")
