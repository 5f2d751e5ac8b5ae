"""A relay's life: set up, turn for ever, and begin anew at whatever goes wrong."""

import os
import sys
import time

import esp32
import espnow
import machine
import micropython
import network
from micropython import const

from relay.port import Port
from relay.radio import Radio
from relay.relay import Relay

_WATCHDOG_MS = const(20000)
_PAUSE_MS = const(2000)


def main():
    """Run until power is lost; anything unforeseen ends in a reset, never at a prompt."""
    try:
        # A frame may hold a 3, which the console would take for Ctrl-C.
        micropython.kbd_intr(-1)
        _run()
    except BaseException as e:
        sys.print_exception(e)
        time.sleep_ms(_PAUSE_MS)
    machine.reset()


def _run():
    watchdog = machine.WDT(timeout=_WATCHDOG_MS)
    nvs = esp32.NVS("relay")
    radio = Radio(network.WLAN(network.STA_IF), espnow.ESPNow(), _channel(nvs))
    radio.start()
    relay = Relay(
        machine.unique_id(),
        os.uname()[4],
        os.urandom(4),
        radio,
        Port(sys.stdin, sys.stdout),
        lambda channel: _keep(nvs, channel),
    )
    while True:
        relay.turn()
        watchdog.feed()


def _channel(nvs):
    try:
        return nvs.get_i32("channel")
    except OSError:
        return 0  # nobody said yet


def _keep(nvs, channel):
    nvs.set_i32("channel", channel)
    nvs.commit()
